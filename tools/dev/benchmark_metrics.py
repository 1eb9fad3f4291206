"""Measure how fast GRES is scored from run lengths, compared with decoding every mask.

    python tools/dev/benchmark_metrics.py [--samples 100000] [--size 480 640] [--decoded 500]

Predictions and targets are JSON lines, as in predictions.jsonl; the time includes reading them.
Prints wall time, CPU time of the one process, samples/s and peak memory. On a machine that runs
other programs, compare CPU times.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from vgtoolbox.evaluation.functional import MaskRow, compare_masks, gres_metrics
from vgtoolbox.structures import RLE, decode_masks, segmentation_to_rle

POOL = 500
CHUNKS = 10


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Measure how fast GRES is scored.")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("H", "W"))
    parser.add_argument(
        "--decoded", type=int, default=500, help="number of samples whose masks are decoded"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(words)


def random_outline(generator: np.random.Generator, size: tuple[int, int]) -> RLE:
    """Return a star-shaped region with a ragged outline, a seventh of the image on average."""
    corners = int(generator.integers(12, 60))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = min(size) * generator.uniform(0.1, 0.4) * generator.uniform(0.8, 1.2, corners)
    x = generator.uniform(0.2, 0.8) * size[1] + radius * np.cos(angles)
    y = generator.uniform(0.2, 0.8) * size[0] + radius * np.sin(angles)
    return segmentation_to_rle([np.stack([x, y], 1).reshape(-1).tolist()], size)


def make_lines(count: int, size: tuple[int, int], seed: int) -> list[str]:
    """Return samples as JSON, each a mask and its target; a tenth have no target."""
    generator = np.random.default_rng(seed)
    pool = [random_outline(generator, size) for _ in range(POOL)]
    chosen = generator.integers(0, POOL, (count, 2)).tolist()
    return [
        json.dumps({"pred": pool[i], "target": pool[j], "no_target": n % 10 == 0})
        for n, (i, j) in enumerate(chosen)
    ]


def from_run_lengths(line: str) -> MaskRow:
    """Compare the masks as the metrics do."""
    sample = json.loads(line)
    return compare_masks(sample["pred"], sample["target"], no_target=sample["no_target"])


def from_pixels(line: str) -> MaskRow:
    """Compare the masks pixel by pixel."""
    sample = json.loads(line)
    pred, target = decode_masks([sample["pred"], sample["target"]]).numpy()
    return MaskRow(
        intersection=int(np.count_nonzero(pred & target)),
        pred_area=int(np.count_nonzero(pred)),
        target_area=int(np.count_nonzero(target)),
        no_target=sample["no_target"],
    )


def measure(
    read: Callable[[str], MaskRow], lines: Sequence[str]
) -> tuple[list[MaskRow], list[float]]:
    """Return the rows, and the CPU seconds per sample for each tenth of the lines."""
    rows: list[MaskRow] = []
    seconds = []
    for chunk in np.array_split(np.arange(len(lines)), CHUNKS):
        started = time.process_time()
        rows += [read(lines[index]) for index in chunk]
        seconds.append((time.process_time() - started) / max(len(chunk), 1))
    return rows, seconds


def main(words: list[str] | None = None) -> None:
    """Measure both ways and print the figures."""
    arguments = parse_arguments(words)
    lines = make_lines(arguments.samples, tuple(arguments.size), arguments.seed)
    wall, processor = time.perf_counter(), time.process_time()
    rows, fast = measure(from_run_lengths, lines)
    values = gres_metrics(rows)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    plain_rows, plain = measure(from_pixels, lines[: arguments.decoded])
    if plain_rows != rows[: arguments.decoded]:
        sys.exit("error: run lengths and pixels give different counts")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(rows):,} samples of {arguments.size[0]} x {arguments.size[1]}, one process")
    print(f"wall {wall:.1f} s, CPU {processor:.1f} s, peak memory {memory:.0f} MiB")
    print(f"{1 / median(fast):,.0f} samples/s of CPU time (median of {CHUNKS} parts)")
    print(f"decoding every mask: {1 / median(plain):,.0f} samples/s")
    print(f"ratio {median(plain) / median(fast):.1f}; gIoU {values['gIoU']:.3f}")


if __name__ == "__main__":
    main()
