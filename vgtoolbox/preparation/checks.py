"""Checking a benchmark on disk: its annotations and images, split by split and all together.

Annotations are read by the readers that training uses; what they refuse is a fault with its place,
and the rest is read on.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError, FieldError
from vgtoolbox.datasets.records import Record, image_key
from vgtoolbox.datasets.transforms import LoadImage
from vgtoolbox.preparation.benchmark import Benchmark, Counts, Split, is_world
from vgtoolbox.preparation.targets import target_faults
from vgtoolbox.preparation.world_counts import known_counts

ImageCheck = Literal["decode", "exist", "skip"]

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "file": "an annotation file is missing, truncated or of another format",
        "format": "an annotation is not as its format says, or names what is not there",
        "count": "the split holds more or less than the official one",
        "id-repeated": "two expressions share an id",
        "expression-empty": "an expression has no words",
        "image-missing": "there is no such image",
        "image-broken": "an image is truncated or no image",
        "image-size": "an image has another size than its annotation says",
        "image-shared": "an image is in two splits",
        "box-empty": "a box has no area",
        "box-outside": "a box leaves the image",
        "polygon-broken": "a polygon has fewer than three points, or half a point",
        "polygon-outside": "a polygon leaves the image",
        "rle-broken": "run lengths are not those of the image",
        "mask-empty": "a target's mask has no pixel",
        "box-mask": "a target's box is not that of its mask",
    }
)
"""Kinds of faults."""


@dataclass(frozen=True)
class Fault:
    """Something wrong: its kind (of `KINDS`), where, and what was found."""

    kind: str
    where: str
    found: str


@dataclass
class SplitReport:
    """What a split holds and what is wrong with it."""

    name: str
    refs: int = 0
    expressions: int = 0
    unread: int = 0
    images: dict[str, str] = field(default_factory=dict)
    """Path of each image, and the first place that needs it."""
    faults: list[Fault] = field(default_factory=list)

    def add(self, record: Record, where: str) -> None:
        """Count a ref."""
        self.refs += 1
        self.expressions += len(record["expressions"])
        self.images.setdefault(record["img_path"], where)

    @property
    def counts(self) -> Counts:
        """Refs (also those that could not be read), expressions and images."""
        return Counts(
            refs=self.refs + self.unread, expressions=self.expressions, images=len(self.images)
        )


@dataclass
class BenchmarkReport:
    """What a benchmark holds and what is wrong with it."""

    benchmark: Benchmark
    splits: list[SplitReport]
    faults: list[Fault]
    """Of the splits together."""

    @property
    def all_faults(self) -> list[Fault]:
        """All faults, those of the splits first."""
        return [fault for split in self.splits for fault in split.faults] + self.faults


def check_benchmark(
    benchmark: Benchmark, root: Path, *, images: ImageCheck = "decode"
) -> BenchmarkReport:
    """Check the files of a benchmark under `root`.

    Args:
        benchmark: What should be there.
        root: Data root.
        images: "decode" each image, see that they "exist", or "skip" them.
    """
    checker = _RecordChecker(images)
    splits = [_check_split(benchmark, root, split, checker) for split in benchmark.splits_at(root)]
    total = Counts() if is_world(root) else benchmark.total
    faults = [*_shared_images(benchmark, splits), *_total_faults(splits, total)]
    return BenchmarkReport(benchmark, splits, faults)


class _RecordChecker:
    """Looks at records; what several records name is looked at once.

    Args:
        images: As for `check_benchmark`.
    """

    def __init__(self, images: ImageCheck) -> None:
        self._images = images
        self._sizes: dict[str, tuple[int, int] | None] = {}
        """(H, W) of each image that was looked at; None where the image does not tell."""
        self._seen_targets: set[tuple[Any, ...]] = set()

    def faults(self, record: Record, where: str) -> Iterator[Fault]:
        """Yield what is wrong with a record that no earlier one has shown."""
        for text in record["expressions"]:
            if not text.strip():
                yield Fault("expression-empty", where, repr(text))
        path = record["img_path"]
        if path not in self._sizes:
            self._sizes[path] = None
            yield from self._image_faults(record, where)
        size = self._size(record)
        if size is None:
            return
        for target in record.get("targets", ()):
            key = (path, target["ann_id"], *target["bbox"])
            if key not in self._seen_targets:
                self._seen_targets.add(key)
                for kind, found in target_faults(target, size):
                    yield Fault(kind, f"{where}, annotation {target['ann_id']}", found)

    def _size(self, record: Record) -> tuple[int, int] | None:
        """Return (H, W) as annotated, else as the image has it."""
        if "height" in record and "width" in record:
            return record["height"], record["width"]
        return self._sizes[record["img_path"]]

    def _image_faults(self, record: Record, where: str) -> Iterator[Fault]:
        path = record["img_path"]
        if self._images == "skip":
            return
        if not Path(path).is_file():
            yield Fault("image-missing", where, path)
        elif self._images == "decode":
            try:
                height, width = LoadImage()({"img_path": path})["ori_shape"]
            except ValueError as error:
                yield Fault("image-broken", where, str(error))
                return
            self._sizes[path] = height, width
            said = (record.get("height", height), record.get("width", width))
            if said != (height, width):
                sizes = f"{height} x {width} (height x width), annotated {said[0]} x {said[1]}"
                yield Fault("image-size", where, f"{path}: {sizes}")


def _check_split(
    benchmark: Benchmark, root: Path, split: Split, checker: _RecordChecker
) -> SplitReport:
    report = SplitReport(split.name)
    dataset = benchmark.dataset(root, split)
    ids: set[str] = set()
    try:
        for entry in dataset.read_entries():
            where = f"{split.name}, {entry.file.name}, {entry.name}"
            try:
                record = dataset.parse_data_info(entry.value)
            except FieldError as error:
                report.unread += 1
                report.faults.append(Fault("format", where, str(error)))
                continue
            if record is None:  # of another split
                continue
            report.add(record, where)
            report.faults += checker.faults(record, where)
            repeated = ids.intersection(record["expression_ids"])
            if repeated:
                report.faults.append(Fault("id-repeated", where, ", ".join(sorted(repeated))))
            ids.update(record["expression_ids"])
    except (AnnotationError, OSError, pickle.UnpicklingError) as error:
        report.faults.append(Fault("file", split.name, str(error)))
        return report
    known = known_counts(benchmark, split, root)
    if report.unread:  # what those would have added is not known
        known = Counts(refs=known.refs)
    differences = known.differences(report.counts)
    if differences:
        report.faults.append(Fault("count", split.name, "; ".join(differences)))
    return report


def _shared_images(benchmark: Benchmark, splits: list[SplitReport]) -> Iterator[Fault]:
    """Find images in two splits of one division."""
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    for report in splits:
        division = report.name.rpartition("/")[0]
        if division in benchmark.shares_images:
            continue
        for path, where in report.images.items():
            name, first = owners.setdefault((division, image_key(path)), (report.name, where))
            if name != report.name:
                yield Fault("image-shared", where, f"{path} is also in {first}")


def _total_faults(splits: list[SplitReport], total: Counts) -> Iterator[Fault]:
    if any(report.unread for report in splits):
        return
    found = Counts(
        expressions=sum(report.expressions for report in splits),
        images=len({path for report in splits for path in report.images}),
    )
    differences = total.differences(found)
    if differences:
        yield Fault("count", "all splits", "; ".join(differences))
