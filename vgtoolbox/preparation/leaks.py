"""Find test images in training data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vgtoolbox.datasets.annotations.annotation_files import FieldError
from vgtoolbox.datasets.image_identity import ImageFile, ImageIndex
from vgtoolbox.preparation.benchmark import Benchmark, Split
from vgtoolbox.preparation.catalog import BENCHMARKS
from vgtoolbox.utils.choices import check_choice


@dataclass(frozen=True)
class Leak:
    """Images of a test split that are also in training data.

    Args:
        training: Training split, as `benchmark:split`.
        test: Test split, as `benchmark:split`.
        images: Keys of the shared images (`image_identity.image_key`).
        test_images: Number of images in the test split.
    """

    training: str
    test: str
    images: tuple[str, ...]
    test_images: int


def find_leaks(root: Path, training: Iterable[str], tests: Iterable[str] = ()) -> list[Leak]:
    """Find the images of test splits that are in training data.

    COCO images are identified by their number, so both their 2014 and 2017 names are found. Other
    images are identified by their path below the root of the images, or by equal bytes.

    Args:
        root: Data root.
        training: Training mixture: `benchmark:split`, or `benchmark` for its training splits.
        tests: Test splits: `benchmark:split`, or `benchmark` for all splits but its training
            splits. If empty, the test splits of all available benchmarks.

    Raises:
        ValueError: A benchmark or split does not exist.
    """
    training_images = {
        _split_name(benchmark, split): ImageIndex(_images(benchmark, split, root))
        for name in training
        for benchmark, split in _parse(name, root, training=True)
    }
    names = list(tests) or [b.name for b in BENCHMARKS.values() if not b.missing_files(root)]
    leaks = []
    for name in names:
        for benchmark, split in _parse(name, root, training=False):
            test_images = _images(benchmark, split, root)
            for mixture, images in training_images.items():
                found = {image.key for image in test_images if images.find(image) is not None}
                shared = tuple(sorted(found))
                if shared:
                    test = _split_name(benchmark, split)
                    leaks.append(Leak(mixture, test, shared, len(test_images)))
    return leaks


def _parse(text: str, root: Path, *, training: bool) -> list[tuple[Benchmark, Split]]:
    name, _, part = text.partition(":")
    check_choice("benchmark", name, BENCHMARKS)
    benchmark = BENCHMARKS[name]
    if part:
        return [(benchmark, benchmark.split(part, root))]
    return [(benchmark, s) for s in benchmark.splits_at(root) if s.training == training]


def _split_name(benchmark: Benchmark, split: Split) -> str:
    return f"{benchmark.name}:{split.name}"


def _images(benchmark: Benchmark, split: Split, root: Path) -> list[ImageFile]:
    """Return all images, each once; invalid annotations are skipped."""
    dataset = benchmark.dataset(root, split)
    paths: dict[str, None] = {}
    for entry in dataset.read_entries():
        try:
            record = dataset.parse_data_info(entry.value)
        except FieldError:
            continue
        if record is not None:
            paths[record["img_path"]] = None
    return dataset.image_files(paths)
