"""Images of a test that a training mixture holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vgtoolbox.datasets.annotations.annotation_files import FieldError
from vgtoolbox.datasets.records import image_key
from vgtoolbox.preparation.benchmark import Benchmark, Split
from vgtoolbox.preparation.catalogue import BENCHMARKS


@dataclass(frozen=True)
class Leak:
    """Images of `test` that `training` holds, by their keys (`records.image_key`)."""

    training: str
    test: str
    images: tuple[str, ...]
    test_images: int
    """Of how many."""


def find_leaks(root: Path, training: Iterable[str], tests: Iterable[str] = ()) -> list[Leak]:
    """Look for the images of tests in training data.

    An image is known by COCO's number, so that it is found under its name of 2014 and of 2017.

    Args:
        root: Data root.
        training: The mixture: `benchmark:split`, or `benchmark` for all of its training splits.
        tests: The same; of a whole benchmark the splits that are not for training. Without any,
            those of all benchmarks that are there.

    Raises:
        ValueError: There is no such benchmark or split.
    """
    held = {
        _call(benchmark, split): _image_keys(benchmark, split, root)
        for name in training
        for benchmark, split in _parse(name, root, training=True)
    }
    names = list(tests) or [b.name for b in BENCHMARKS.values() if not b.missing_files(root)]
    leaks = []
    for name in names:
        for benchmark, split in _parse(name, root, training=False):
            asked = _image_keys(benchmark, split, root)
            for mixture, images in held.items():
                shared = tuple(sorted(asked & images))
                if shared:
                    leaks.append(Leak(mixture, _call(benchmark, split), shared, len(asked)))
    return leaks


def _parse(text: str, root: Path, *, training: bool) -> list[tuple[Benchmark, Split]]:
    name, _, part = text.partition(":")
    if name not in BENCHMARKS:
        raise ValueError(f"{name!r} is no benchmark; there are: {', '.join(BENCHMARKS)}")
    benchmark = BENCHMARKS[name]
    if part:
        return [(benchmark, benchmark.split(part, root))]
    return [(benchmark, s) for s in benchmark.splits_at(root) if s.training == training]


def _call(benchmark: Benchmark, split: Split) -> str:
    return f"{benchmark.name}:{split.name}"


def _image_keys(benchmark: Benchmark, split: Split, root: Path) -> set[str]:
    """Return the keys of all images; what can not be read is left to `check`."""
    dataset = benchmark.dataset(root, split)
    keys = set()
    for entry in dataset.read_entries():
        try:
            record = dataset.parse_data_info(entry.value)
        except FieldError:
            continue
        if record is not None:
            keys.add(image_key(record["img_path"]))
    return keys
