"""How much a split should hold: for official data the known table, for generated data its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from vgtoolbox.preparation.benchmark import Benchmark, Counts, Split, is_world
from vgtoolbox.utils.atomic_file import atomic_file

COUNTS_FILE = "counts.json"


def known_counts(benchmark: Benchmark, split: Split, root: Path) -> Counts:
    """Return what is known of the split of the data at `root`."""
    if not is_world(root):
        return split.counts
    table = _read(root / COUNTS_FILE)
    return Counts(**table.get(benchmark.name, {}).get(split.name, {}))


def write_world_counts(root: Path, counts: Mapping[str, Mapping[str, Counts]]) -> None:
    """Note what generated benchmarks hold, by benchmark and split, beside what was noted before."""
    table = _read(root / COUNTS_FILE)
    table |= {
        benchmark: {split: vars(numbers) for split, numbers in splits.items()}
        for benchmark, splits in counts.items()
    }
    with atomic_file(root / COUNTS_FILE) as file:
        file.write(json.dumps(table, indent=1, sort_keys=True).encode())


def _read(path: Path) -> dict[str, dict[str, dict[str, int]]]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
