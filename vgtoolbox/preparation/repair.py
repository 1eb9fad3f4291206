"""Writing a mended copy of a benchmark: what can be mended is, what can not is left out and named.

The targets are mended in the raw files first, each format in its own way. Then the copy is read as
in training, and what its reader refuses, or what has no image, goes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vgtoolbox.datasets.annotations.annotation_files import Entry, FieldError
from vgtoolbox.datasets.records import Record
from vgtoolbox.datasets.transforms import LoadImage
from vgtoolbox.preparation.benchmark import (
    WORLD_FILE,
    WORLD_IMAGES,
    Benchmark,
    is_world,
)
from vgtoolbox.preparation.raw_files import FORMATS
from vgtoolbox.utils.atomic_file import atomic_folder

Note = Callable[[str, str], None]


@dataclass(frozen=True)
class Repair:
    """Something that was mended or left out: where, and what was done."""

    where: str
    done: str


def repair_benchmark(benchmark: Benchmark, root: Path, out: Path) -> list[Repair]:
    """Write a mended copy of the annotations under `root` to `out`, which becomes a data root.

    Images are linked, not copied; their folders at `root` have to stay.

    Raises:
        ValueError: `out` is `root`, or there is no mending of this benchmark's format.
        FileExistsError: `out` is there already.
    """
    kind = str(benchmark.reader["type"])
    if kind not in FORMATS:
        raise ValueError(f"{benchmark.name}: files of this format can not be mended")
    if out.exists():
        raise FileExistsError(f"{out} is there already; name a folder that is not")
    mends: list[Repair] = []
    with atomic_folder(out) as folder:
        files = [FORMATS[kind](_copy(root, folder, name)) for name in benchmark.own_folders]
        _link_images(benchmark, root, folder)
        for raw in files:
            raw.repair_targets(lambda where, done: mends.append(Repair(where, done)))
        refused = list(_refused(benchmark, folder))
        for raw in files:
            raw.leave_out([entry for entry, _ in refused if raw.folder in entry.file.parents])
        for entry, reason in refused:
            mends.append(Repair(f"{entry.file.name}, {entry.name}", f"left out: {reason}"))
    return mends


def _copy(root: Path, out: Path, folder: str) -> Path:
    return shutil.copytree(root / folder, out / folder)


def _link_images(benchmark: Benchmark, root: Path, out: Path) -> None:
    """Link the folders of images, and say of generated data that they are."""
    folders = [images.folder for images in benchmark.images]
    if is_world(root):
        shutil.copyfile(root / WORLD_FILE, out / WORLD_FILE)
        folders.append(WORLD_IMAGES)
    for name in folders:
        if (root / name).is_dir() and not (out / name).exists():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).symlink_to((root / name).resolve(), target_is_directory=True)


def _refused(benchmark: Benchmark, root: Path) -> Iterator[tuple[Entry, str]]:
    """Yield the annotations that can not be used, and why."""
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
            reason = usable.setdefault(record["img_path"], _image_fault(record))
            if reason is not None:
                yield entry, reason


def _image_fault(record: Record) -> str | None:
    known: Record = {key: record[key] for key in ("img_path", "height", "width") if key in record}
    try:
        LoadImage()(known)
    except (FileNotFoundError, ValueError) as error:
        return str(error)
    return None
