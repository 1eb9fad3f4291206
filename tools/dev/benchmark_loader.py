"""Measure how fast a config's training samples are read, step by step.

    python tools/dev/benchmark_loader.py [CONFIG] [--data-root D] [--images 96] [--workers 2]
                                     [--repeats 3] [--out F.json]

The loader is compared with the plain way: random order, and every expression decodes its image and,
at full size, its masks. Without --data-root, images of about 480 x 640 pixels are generated in the
official format, with 12 expressions per image.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.deployment.profiling import throughput
from vgtoolbox.engine import load_config
from vgtoolbox.shapes import WorldSpec, prepare_world

CONFIG = "configs/gres/InstanceVG-grefcoco.py"


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Measure how fast samples are read.")
    parser.add_argument("config", nargs="?", default=CONFIG, help="config with a train_dataloader")
    parser.add_argument(
        "--data-root",
        metavar="D",
        help="data root of the config's dataset; default: generated data",
    )
    parser.add_argument("--images", type=int, default=96, help="number of images to generate")
    parser.add_argument("--workers", type=int, default=2, help="number of worker processes")
    parser.add_argument(
        "--repeats", type=int, default=3, help="number of passes; medians are reported"
    )
    parser.add_argument("--out", type=Path, metavar="F", help="figures as JSON")
    return parser.parse_args(words)


def use_generated_data(loader: dict[str, Any], root: Path, images: int) -> int:
    """Point a loader to generated images; return their mean file size in bytes."""
    prepare_world(root, WorldSpec(scale="large", seed=0, num_scenes=(images, 1, 1)), workers=2)
    loader["dataset"].update(data_root=str(root), ann_root="grefcoco", image_root="images")
    for step in loader["dataset"]["pipeline"].values():
        if "tokenizer" in step:
            step["tokenizer"] = {**step["tokenizer"], "model_file": str(root / "tokenizer.spm")}
    return round(statistics.mean(file.stat().st_size for file in root.glob("images/*.jpg")))


def measure(loader: dict[str, Any], workers: int, repeats: int) -> dict[str, Any]:
    """Return medians over the repeats, for each step and for the whole loader."""
    # Each pass starts with an empty cache, as a worker does.
    steps = [
        throughput.time_steps(throughput.build_loader(loader, workers=0), workers=workers)
        for _ in range(repeats)
    ]
    passes = [
        throughput.measure_loader(throughput.build_loader(loader, workers=workers))
        for _ in range(repeats)
    ]
    return {
        "steps_ms": {name: statistics.median(step[name] for step in steps) for name in steps[0]},
        "samples_per_second": statistics.median(one.samples_per_second for one in passes),
        "cpu_ms": statistics.median(one.cpu_ms for one in passes),
        "samples": throughput.num_samples(throughput.build_loader(loader, workers=0)),
    }


def print_report(console: Console, figures: dict[str, Any]) -> None:
    """Print the time of each step and the ratio."""
    plain, ours = figures["plain"], figures["ours"]
    table = Table("step (CPU ms per sample)", "plain", "share", "ours", "share")
    totals = [sum(way["steps_ms"].values()) for way in (plain, ours)]
    for name in ours["steps_ms"]:
        cells = []
        for way, total in zip((plain, ours), totals, strict=True):
            cells += [f"{way['steps_ms'][name]:.3f}", f"{way['steps_ms'][name] / total:.0%}"]
        table.add_row(name, *cells)
    table.add_row("sum", f"{totals[0]:.3f}", "", f"{totals[1]:.3f}", "")
    console.print(table)
    console.print(
        f"{figures['workers']} workers, {ours['samples']} samples, images of "
        f"{figures['image_bytes'] // 1000} kB: {plain['samples_per_second']:.0f} samples/s plain, "
        f"{ours['samples_per_second']:.0f} ours, ratio {figures['ratio']:.2f}; CPU time "
        f"{plain['cpu_ms']:.2f} ms and {ours['cpu_ms']:.2f} ms per sample, "
        f"ratio {figures['cpu_ratio']:.2f}; medians of {figures['repeats']}"
    )


def main(words: list[str] | None = None) -> None:
    """Measure both loaders and report them."""
    arguments = parse_arguments(words)
    loader = load_config(arguments.config).train_dataloader.to_dict()
    with tempfile.TemporaryDirectory() as folder:
        image_bytes = 0
        if arguments.data_root:
            loader["dataset"]["data_root"] = arguments.data_root
        else:
            image_bytes = use_generated_data(loader, Path(folder, "world"), arguments.images)
        ways = {"plain": throughput.baseline_config(loader), "ours": loader}
        figures: dict[str, Any] = {
            name: measure(way, arguments.workers, arguments.repeats) for name, way in ways.items()
        }
    plain, ours = figures["plain"], figures["ours"]
    figures |= {
        "workers": arguments.workers,
        "repeats": arguments.repeats,
        "image_bytes": image_bytes,
        "ratio": ours["samples_per_second"] / plain["samples_per_second"],
        "cpu_ratio": plain["cpu_ms"] / ours["cpu_ms"],
    }
    print_report(Console(), figures)
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    with exit_on_user_error():
        main()
