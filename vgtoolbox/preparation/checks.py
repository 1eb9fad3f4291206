"""Check the annotations and images of a benchmark, per split and across splits.

Annotations are read by the readers that training uses. An annotation that a reader rejects is a
problem with its location, and reading continues with the next one.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError, FieldError
from vgtoolbox.datasets.image_identity import ImageFile, ImageIndex
from vgtoolbox.datasets.records import Record
from vgtoolbox.datasets.transforms import LoadImage
from vgtoolbox.preparation.benchmark import Benchmark, Counts, Split, is_generated
from vgtoolbox.preparation.expected_counts import expected_counts
from vgtoolbox.preparation.expression_checks import (
    find_expression_problems,
    find_split_problem,
)
from vgtoolbox.preparation.targets import find_target_problems
from vgtoolbox.structures.validation import FractionDetector
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.image_files import similar_file

ImageCheck = Literal["decode", "exist", "skip"]

PROBLEM_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "file": "an annotation file is missing, truncated or in another format",
        "format": "an annotation violates its format, or refers to a missing annotation or image",
        "count": "the split has more or fewer samples than the official one",
        "id-repeated": "two expressions share an id",
        "expression-empty": "an expression has no words",
        "expression-characters": "an expression has half a character, or an invisible one",
        "expression-long": "an expression is as long as a caption or a paragraph",
        "split-empty": "a split has no expressions",
        "split-name": "the name of a split is almost a usual one",
        "image-missing": "an image file does not exist",
        "image-broken": "an image file is truncated, or not an image",
        "image-size": "the size of an image differs from its annotation",
        "image-repeated": "two images of different ids name one file",
        "image-shared": "an image is in two splits",
        "image-copied": "an image is in two splits, as files of equal bytes",
        "box-empty": "a box has no area",
        "box-outside": "a box is partly outside the image",
        "box-fraction": "all boxes are within one pixel, as fractions of the image are",
        "polygon-broken": "a polygon has fewer than three points, or half a point",
        "polygon-outside": "a polygon is partly outside the image",
        "rle-broken": "run lengths do not match the size of the image",
        "mask-empty": "the mask of a target has no pixels",
        "box-mask": "the box of a target does not match its mask",
    }
)
"""Kind of problem -> description."""


@dataclass(frozen=True)
class Problem:
    """Problem in the files of a benchmark.

    Args:
        kind: Kind of problem, a key of `PROBLEM_KINDS`.
        location: Split, file and annotation.
        message: Description of the values that were found.
    """

    kind: str
    location: str
    message: str


@dataclass
class SplitReport:
    """Counts and problems of a split.

    Args:
        name: Name of the split.
        refs: Number of refs.
        expressions: Number of expressions.
        rejected: Number of refs that the reader rejected.
        images: Path of each image -> location of the first annotation that refers to it.
        image_files: The images with their paths below the root of the images.
        problems: Problems of the split.
    """

    name: str
    refs: int = 0
    expressions: int = 0
    rejected: int = 0
    images: dict[str, str] = field(default_factory=dict)
    image_files: list[ImageFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, record: Record, location: str) -> None:
        """Count a ref."""
        self.refs += 1
        self.expressions += len(record["expressions"])
        self.images.setdefault(record["img_path"], location)

    @property
    def counts(self) -> Counts:
        """Numbers of refs (including rejected ones), expressions and images."""
        return Counts(
            refs=self.refs + self.rejected, expressions=self.expressions, images=len(self.images)
        )


@dataclass
class BenchmarkReport:
    """Counts and problems of a benchmark.

    Args:
        benchmark: Benchmark that was checked.
        splits: Reports of its splits.
        problems: Problems across splits.
        notes: Findings that may be intended, such as copies of an image in two splits.
    """

    benchmark: Benchmark
    splits: list[SplitReport]
    problems: list[Problem]
    notes: list[Problem] = field(default_factory=list)

    @property
    def all_problems(self) -> list[Problem]:
        """All problems, those of the splits first."""
        return [problem for split in self.splits for problem in split.problems] + self.problems


def check_benchmark(
    benchmark: Benchmark, root: Path, *, images: ImageCheck = "decode"
) -> BenchmarkReport:
    """Check the files of a benchmark under `root`.

    Args:
        benchmark: Benchmark to check.
        root: Data root.
        images: Extent of the check of image files: "decode" decodes each of them, "exist" checks
            only that they exist, and "skip" does not look at them. Copies of an image at another
            path are noted by "decode" only.

    Raises:
        ValueError: `images` is not allowed.
    """
    check_choice("images", images, get_args(ImageCheck))
    checker = _RecordChecker(images)
    splits = [_check_split(benchmark, root, split, checker) for split in benchmark.splits_at(root)]
    total = Counts() if is_generated(root) else benchmark.total
    shared, copied = _shared_images(benchmark, splits, compare_files=images == "decode")
    problems = [*shared, *_total_problems(splits, total)]
    return BenchmarkReport(benchmark, splits, problems, notes=copied)


class _RecordChecker:
    """Checker of records that checks each image and each target only once.

    Args:
        images: Extent of the check of image files; see `check_benchmark`.
    """

    def __init__(self, images: ImageCheck) -> None:
        self._images = images
        self._sizes: dict[str, tuple[int, int] | None] = {}
        """(H, W) of each checked image; `None` if it was not decoded."""
        self._seen_targets: set[tuple[Any, ...]] = set()
        self._image_ids: dict[str, list[Any]] = {}

    def find_problems(self, record: Record, location: str) -> Iterator[Problem]:
        """Yield the problems of a record that earlier records did not have."""
        for text in record["expressions"]:
            for kind, message in find_expression_problems(text):
                yield Problem(kind, location, message)
        path = record["img_path"]
        ids = self._image_ids.setdefault(path, [record["image_id"]])
        if record["image_id"] not in ids:
            message = f"{path} is the file of image {ids[0]!r} and of image {record['image_id']!r}"
            yield Problem("image-repeated", location, message)
            ids.append(record["image_id"])
        if path not in self._sizes:
            self._sizes[path] = None
            yield from self._image_problems(record, location)
        size = self._size(record)
        if size is None:
            return
        for target in record.get("targets", ()):
            key = (path, target["ann_id"], *target["bbox"])
            if key not in self._seen_targets:
                self._seen_targets.add(key)
                for kind, message in find_target_problems(target, size):
                    yield Problem(kind, f"{location}, annotation {target['ann_id']}", message)

    def _size(self, record: Record) -> tuple[int, int] | None:
        """Return (H, W) of the annotation, else of the image file."""
        if "height" in record and "width" in record:
            return record["height"], record["width"]
        return self._sizes[record["img_path"]]

    def _image_problems(self, record: Record, location: str) -> Iterator[Problem]:
        path = record["img_path"]
        if self._images == "skip":
            return
        if not Path(path).is_file():
            similar = similar_file(path)
            hint = "" if similar is None else f"; there is {similar!r}, which differs in spelling"
            yield Problem("image-missing", location, f"{path}{hint}")
        elif self._images == "decode":
            try:
                height, width = LoadImage()({"img_path": path})["ori_shape"]
            except (OSError, ValueError) as error:
                yield Problem("image-broken", location, str(error))
                return
            self._sizes[path] = height, width
            annotated = (record.get("height", height), record.get("width", width))
            if annotated != (height, width):
                sizes = f"(H, W) is {(height, width)}, annotated {annotated}"
                yield Problem("image-size", location, f"{path}: {sizes}")


def _check_split(
    benchmark: Benchmark, root: Path, split: Split, checker: _RecordChecker
) -> SplitReport:
    report = SplitReport(split.name)
    dataset = benchmark.dataset(root, split)
    ids: set[str] = set()
    fractions = FractionDetector()
    try:
        for entry in dataset.read_entries():
            location = f"{split.name}, {entry.file.name}, {entry.name}"
            try:
                record = dataset.parse_data_info(entry.value)
            except FieldError as error:
                report.rejected += 1
                report.problems.append(Problem("format", location, str(error)))
                continue
            if record is None:  # belongs to another split
                continue
            report.add(record, location)
            fractions.add(target["bbox"] for target in record.get("targets", ()))
            report.problems += checker.find_problems(record, location)
            repeated = ids.intersection(record["expression_ids"])
            if repeated:
                listed = ", ".join(sorted(repeated))
                report.problems.append(Problem("id-repeated", location, listed))
            ids.update(record["expression_ids"])
    except (AnnotationError, OSError, pickle.UnpicklingError) as error:
        report.problems.append(Problem("file", split.name, str(error)))
        return report
    report.image_files = dataset.image_files(report.images)
    if not report.refs and not report.rejected:
        report.problems.append(Problem("split-empty", split.name, "no expressions were found"))
    name = find_split_problem(split.name.rpartition("/")[2])
    if name is not None:
        report.problems.append(Problem("split-name", split.name, name))
    if fractions.are_fractions:
        message = (
            "all boxes are within one pixel; are they fractions of the image? Multiply them by its "
            "width and height"
        )
        report.problems.append(Problem("box-fraction", split.name, message))
    known = expected_counts(benchmark, split, root)
    if report.rejected:  # their expressions and images are unknown
        known = Counts(refs=known.refs)
    differences = known.differences(report.counts)
    if differences:
        report.problems.append(Problem("count", split.name, "; ".join(differences)))
    return report


def _shared_images(
    benchmark: Benchmark, splits: list[SplitReport], *, compare_files: bool
) -> tuple[list[Problem], list[Problem]]:
    """Return the images that are in two splits of a partition, and the copies at other paths."""
    shared: list[Problem] = []
    copied: list[Problem] = []
    indices: dict[str, ImageIndex] = {}
    locations: dict[str, str] = {}
    for report in splits:
        partition = report.name.rpartition("/")[0]
        if partition in benchmark.shares_images:
            continue
        index = indices.setdefault(partition, ImageIndex(compare_files=compare_files))
        new = []
        for image in report.image_files:
            location = report.images[image.path]
            other = index.find(image)
            if other is not None and other.key == image.key:
                message = f"{image.path} is also in {locations[other.path]}"
                shared.append(Problem("image-shared", location, message))
                continue
            new.append(image)
            locations[image.path] = location
            if other is not None:
                message = f"{image.path} has the bytes of {other.path} in {locations[other.path]}"
                copied.append(Problem("image-copied", location, message))
        for image in new:
            index.add(image)
    return shared, copied


def _total_problems(splits: list[SplitReport], total: Counts) -> Iterator[Problem]:
    if any(report.rejected for report in splits):
        return
    found = Counts(
        expressions=sum(report.expressions for report in splits),
        images=len({path for report in splits for path in report.images}),
    )
    differences = total.differences(found)
    if differences:
        yield Problem("count", "all splits", "; ".join(differences))
