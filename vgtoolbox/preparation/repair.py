"""Write a repaired copy of a benchmark.

First the targets are repaired in the annotation files, by the repairer of the format. Then the copy
is read as in training, and annotations that the reader rejects or that have no readable image are
removed. Every change is reported.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vgtoolbox.datasets.annotations.annotation_files import Entry, FieldError
from vgtoolbox.datasets.records import Record
from vgtoolbox.datasets.transforms import LoadImage
from vgtoolbox.preparation.benchmark import (
    GENERATED_IMAGES,
    GENERATED_MARKER,
    Benchmark,
    is_generated,
)
from vgtoolbox.preparation.repairers import REPAIRERS
from vgtoolbox.utils.atomic_file import atomic_folder
from vgtoolbox.utils.text_files import GZIP_SUFFIX, read_bytes


@dataclass(frozen=True)
class Repair:
    """Change made by a repair.

    Args:
        location: File and annotation.
        change: Description of the change.
    """

    location: str
    change: str


def repair_benchmark(benchmark: Benchmark, root: Path, out: Path) -> list[Repair]:
    """Write a repaired copy of the annotations of a benchmark, as a new data root.

    Images are linked, not copied, so their folders under `root` must not be removed.

    Args:
        benchmark: Benchmark to repair.
        root: Data root.
        out: Data root to create.

    Returns:
        All changes.

    Raises:
        ValueError: The format of the benchmark cannot be repaired.
        FileExistsError: `out` exists.
    """
    kind = str(benchmark.reader["type"])
    if kind not in REPAIRERS:
        raise ValueError(
            f"reader of {benchmark.name} must be one of {', '.join(REPAIRERS)} for a repair, "
            f"got {kind}; run the check without --fix"
        )
    if out.exists():
        raise FileExistsError(f"{out} must not exist yet; choose another folder")
    repairs: list[Repair] = []
    with atomic_folder(out) as folder:
        folders = [_copy(root, folder, name) for name in benchmark.annotation_folders]
        repairers = [REPAIRERS[kind](annotations) for annotations in folders]
        _link_images(benchmark, root, folder)
        for repairer in repairers:
            repairer.repair_targets(lambda where, change: repairs.append(Repair(where, change)))
        unusable = list(_unusable_entries(benchmark, folder))
        for repairer in repairers:
            repairer.remove([e for e, _ in unusable if repairer.folder in e.file.parents])
        for entry, reason in unusable:
            repairs.append(Repair(f"{entry.file.name}, {entry.name}", f"dropped: {reason}"))
    return repairs


def _copy(root: Path, out: Path, folder: str) -> Path:
    """Copy a folder of annotations; compressed files are decompressed, as repairers need them."""
    copied = shutil.copytree(root / folder, out / folder)
    for file in list(copied.rglob(f"*.json{GZIP_SUFFIX}")):
        file.with_suffix("").write_bytes(read_bytes(file))
        file.unlink()
    return copied


def _link_images(benchmark: Benchmark, root: Path, out: Path) -> None:
    """Link the image folders, and copy the marker of a generated dataset."""
    folders = [images.folder for images in benchmark.images]
    if is_generated(root):
        shutil.copyfile(root / GENERATED_MARKER, out / GENERATED_MARKER)
        folders.append(GENERATED_IMAGES)
    for name in folders:
        if (root / name).is_dir() and not (out / name).exists():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).symlink_to((root / name).resolve(), target_is_directory=True)


def _unusable_entries(benchmark: Benchmark, root: Path) -> Iterator[tuple[Entry, str]]:
    """Yield the annotations that cannot be used, with the reasons."""
    usable: dict[str, str | None] = {}
    for split in benchmark.splits_at(root):
        dataset = benchmark.dataset(root, split)
        for entry in dataset.read_entries():
            try:
                record = dataset.parse_data_info(entry.value)
            except FieldError as error:
                yield entry, str(error)
                continue
            if record is None:
                continue
            reason = usable.setdefault(record["img_path"], _image_problem(record))
            if reason is not None:
                yield entry, reason


def _image_problem(record: Record) -> str | None:
    known: Record = {key: record[key] for key in ("img_path", "height", "width") if key in record}
    try:
        LoadImage()(known)
    except (OSError, ValueError) as error:
        return str(error)
    return None
