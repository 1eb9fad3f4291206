"""Making a whole generated world: all scenes in parallel, then one rename to its place."""

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
    AnnotationTables,
    SceneRecord,
    write_scenes,
)
from vgtoolbox.utils.atomic_file import atomic_folder

FORMAT_VERSION = 5
"""Goes up when the same arguments give another world."""
STATISTICS_FILE = "statistics.json"
_JPEG_QUALITY = 95


@dataclass(frozen=True, kw_only=True)
class WorldSpec:
    """What decides every byte of a generated world.

    Args:
        scale: a name of `SCALES`.
        seed: non-negative.
        num_scenes: images of train, val and test, at least one each.

    Raises:
        ValueError: an argument is out of its range.
    """

    scale: str
    seed: int
    num_scenes: tuple[int, int, int]
    version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale {self.scale!r} is none of {list(SCALES)}")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it has to be 0 or more")
        for split, count in zip(SPLITS, self.num_scenes, strict=True):
            if count < 1:
                raise ValueError(f"{split} has {count} scenes; each split needs at least 1")

    def jobs(self) -> list[tuple[int, str, int]]:
        """Return (image id, split, index in the split) of all scenes; ids count from 1."""
        rows = [
            (split, index)
            for split, count in zip(SPLITS, self.num_scenes, strict=True)
            for index in range(count)
        ]
        return [(image_id, *row) for image_id, row in enumerate(rows, start=1)]


def prepare_world(
    out: Path, spec: WorldSpec, *, workers: int, overwrite: bool = False
) -> tuple[dict[str, Any], bool]:
    """Make the world `spec` at `out`, or find it there.

    Returns:
        Its statistics, and whether it stood there already.

    Raises:
        FileExistsError: `out` holds something else; another world yields to `overwrite`.
    """
    found = _read_statistics(out)
    if found is not None and found["world"] == _plain(spec) and _is_complete(out, spec):
        return found, True
    is_free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not is_free and (found is None or not overwrite):
        raise FileExistsError(f"{out} holds {_describe(found, spec)}")
    with atomic_folder(out) as folder:
        statistics = _write_world(folder, spec, workers=workers)
    return statistics, False


def _write_world(folder: Path, spec: WorldSpec, *, workers: int) -> dict[str, Any]:
    (folder / "images").mkdir()
    tables = AnnotationTables(shapes=SCALES[spec.scale].shapes)
    records = _generate(folder / "images", spec, workers=workers)
    bar = track(records, description=f"shapes {spec.scale}", total=len(spec.jobs()))
    for record in write_scenes(folder / "scenes.jsonl", bar):
        tables.add(record)
    tables.write(folder)
    train = [ref for ref in tables.grefs if ref["split"] == "train"]
    sentences = (sentence["sent"] for ref in train for sentence in ref["sentences"])
    train_tokenizer(sentences, folder / "tokenizer.spm")
    families = {fact["sent_id"]: fact["family"] for fact in tables.facts}
    statistics = {"world": _plain(spec), "splits": describe_grefs(tables.grefs, families)}
    (folder / STATISTICS_FILE).write_text(json.dumps(statistics, indent=1), encoding="utf-8")
    return statistics


def _generate(folder: Path, spec: WorldSpec, *, workers: int) -> Iterator[SceneRecord]:
    """Yield the records in the order of their ids, whatever the number of processes."""
    work = partial(_make_record, folder=folder, scale=spec.scale, seed=spec.seed)
    if workers <= 1:
        yield from map(work, spec.jobs())
        return
    # A forked process may wait for ever on a lock that a thread of this one held.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_limit_threads) as pool:
        yield from pool.map(work, spec.jobs(), chunksize=16)


def _limit_threads() -> None:
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
        references=made.references,
    )


def _read_statistics(out: Path) -> dict[str, Any] | None:
    """Return the statistics of the generated world at `out`, None if there is none."""
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


def _describe(found: dict[str, Any] | None, spec: WorldSpec) -> str:
    if found is None:
        return "no generated world; choose another folder, or empty it"
    if found["world"] == _plain(spec):
        return "an incomplete copy of the world asked for; pass --overwrite to make it anew"
    return f"the world {found['world']}, asked for {_plain(spec)}; pass --overwrite to replace it"
