"""Generate a whole dataset: all scenes in parallel, moved into place in one rename."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
from rich.progress import track

from vgtoolbox.shapes.generator import generate_scene
from vgtoolbox.shapes.scales import SCALES, SPLITS
from vgtoolbox.shapes.statistics import describe_grefs
from vgtoolbox.shapes.tokenizer import train_tokenizer
from vgtoolbox.shapes.writer import (
    IMAGE_NAME,
    AnnotationWriter,
    SceneRecord,
    write_scenes,
)
from vgtoolbox.utils.atomic_file import atomic_folder, remove_leftovers
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.parent_watch import end_with_parent

FORMAT_VERSION = 5
"""Number that is increased if the same arguments give different files."""
STATISTICS_FILE = "statistics.json"
_JPEG_QUALITY = 95


@dataclass(frozen=True, kw_only=True)
class WorldSpec:
    """Arguments that determine every byte of a generated dataset.

    Args:
        scale: Name of the difficulty level, a key of `SCALES`.
        seed: Random seed, at least 0.
        num_scenes: Number of images in train, val and test, at least 1 each.
        version: Version of the generator.

    Raises:
        ValueError: An argument is not allowed.
    """

    scale: str
    seed: int
    num_scenes: tuple[int, int, int]
    version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        check_choice("scale", self.scale, SCALES)
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        for split, count in zip(SPLITS, self.num_scenes, strict=True):
            if count < 1:
                raise ValueError(f"number of {split} scenes must be at least 1, got {count}")

    def jobs(self) -> list[tuple[int, str, int]]:
        """Return (image id, split, index in the split) of all scenes; ids begin with 1."""
        rows = [
            (split, index)
            for split, count in zip(SPLITS, self.num_scenes, strict=True)
            for index in range(count)
        ]
        return [(image_id, *row) for image_id, row in enumerate(rows, start=1)]


def prepare_world(
    out: Path, spec: WorldSpec, *, workers: int, overwrite: bool = False
) -> tuple[dict[str, Any], bool]:
    """Generate the dataset `spec` at `out`, or reuse a complete one.

    Args:
        out: Folder of the dataset.
        spec: Arguments of the dataset.
        workers: Number of processes.
        overwrite: Whether to replace a generated dataset at `out` that differs or is incomplete.

    Returns:
        The statistics, and whether an existing dataset was reused.

    Raises:
        FileExistsError: `out` contains other files, or another dataset and `overwrite` is False.
        OSError: An image cannot be written.
    """
    remove_leftovers(out)  # it may restore the dataset
    found = _read_statistics(out)
    if found is not None and found["world"] == _plain(spec) and _is_complete(out, spec):
        return found, True
    is_free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not is_free and (found is None or not overwrite):
        raise FileExistsError(f"{out} contains {_describe_conflict(found, spec)}")
    with atomic_folder(out) as folder:
        statistics = _write_world(folder, spec, workers=workers)
    return statistics, False


def _write_world(folder: Path, spec: WorldSpec, *, workers: int) -> dict[str, Any]:
    (folder / "images").mkdir()
    writer = AnnotationWriter(shapes=SCALES[spec.scale].shapes)
    records = _generate(folder / "images", spec, workers=workers)
    bar = track(records, description=f"shapes {spec.scale}", total=len(spec.jobs()))
    for record in write_scenes(folder / "scenes.jsonl", bar):
        writer.add(record)
    writer.write(folder)
    train = [ref for ref in writer.grefs if ref["split"] == "train"]
    sentences = (sentence["sent"] for ref in train for sentence in ref["sentences"])
    train_tokenizer(sentences, folder / "tokenizer.spm")
    families = {row["sent_id"]: row["family"] for row in writer.programs}
    statistics = {"world": _plain(spec), "splits": describe_grefs(writer.grefs, families)}
    (folder / STATISTICS_FILE).write_text(json.dumps(statistics, indent=1), encoding="utf-8")
    return statistics


def _generate(folder: Path, spec: WorldSpec, *, workers: int) -> Iterator[SceneRecord]:
    """Yield the records in the order of their ids, for any number of processes."""
    work = partial(_make_record, folder=folder, scale=spec.scale, seed=spec.seed)
    if workers <= 1:
        yield from map(work, spec.jobs())
        return
    # A forked process can deadlock on a lock that a thread of this process held.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_set_up_worker) as pool:
        yield from pool.map(work, spec.jobs(), chunksize=16)


def _set_up_worker() -> None:
    end_with_parent("a worker", "generation of scenes")
    cv2.setNumThreads(0)


def _make_record(job: tuple[int, str, int], *, folder: Path, scale: str, seed: int) -> SceneRecord:
    image_id, split, index = job
    made = generate_scene(seed=seed, split=split, index=index, scale=SCALES[scale])
    path = folder / IMAGE_NAME.format(image_id=image_id)
    bgr = cv2.cvtColor(made.image, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]):
        raise OSError(f"cannot write {path}; is the disk full?")
    return SceneRecord(
        image_id=image_id,
        split=split,
        scene=made.scene,
        segmentations=made.segmentations,
        refs=made.refs,
    )


def _read_statistics(out: Path) -> dict[str, Any] | None:
    """Return the statistics of the generated dataset at `out`; `None` if there is none."""
    try:
        statistics = json.loads((out / STATISTICS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return statistics if isinstance(statistics, dict) and "world" in statistics else None


def _is_complete(out: Path, spec: WorldSpec) -> bool:
    files = ("refcoco/refs(unc).p", "grefcoco/grefs(unc).json", "tokenizer.spm")
    images = (IMAGE_NAME.format(image_id=image_id) for image_id, *_ in spec.jobs())
    present = {path.name for path in (out / "images").glob("*.jpg")}
    return all((out / file).is_file() for file in files) and present.issuperset(images)


def _plain(spec: WorldSpec) -> dict[str, Any]:
    return {**asdict(spec), "num_scenes": list(spec.num_scenes)}


def _describe_conflict(found: dict[str, Any] | None, spec: WorldSpec) -> str:
    if found is None:
        return "files but not a generated dataset; choose another folder, or empty it"
    if found["world"] == _plain(spec):
        return "an incomplete copy of this dataset; pass --overwrite to generate it again"
    return f"the dataset {found['world']}, not {_plain(spec)}; pass --overwrite to replace it"
