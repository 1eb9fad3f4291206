"""Expected numbers of a split: the official ones, or those recorded with a generated dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from vgtoolbox.preparation.benchmark import Benchmark, Counts, Split, is_generated
from vgtoolbox.utils.atomic_file import atomic_file

COUNTS_FILE = "counts.json"


def expected_counts(benchmark: Benchmark, split: Split, root: Path) -> Counts:
    """Return the expected numbers of a split of the data at `root`."""
    if not is_generated(root):
        return split.counts
    table = _read(root / COUNTS_FILE)
    return Counts(**table.get(benchmark.name, {}).get(split.name, {}))


def write_expected_counts(root: Path, counts: Mapping[str, Mapping[str, Counts]]) -> None:
    """Record the numbers of generated benchmarks by benchmark and split; others are kept."""
    table = _read(root / COUNTS_FILE)
    table |= {
        benchmark: {split: vars(numbers) for split, numbers in splits.items()}
        for benchmark, splits in counts.items()
    }
    with atomic_file(root / COUNTS_FILE) as file:
        file.write(json.dumps(table, indent=1, sort_keys=True).encode())


def _read(path: Path) -> dict[str, dict[str, dict[str, int]]]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
