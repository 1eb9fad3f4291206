"""Data of one's own as a benchmark: one file, whose splits are those that stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    FieldError,
    parse_json,
    read_annotations_file,
)
from vgtoolbox.preparation.benchmark import Benchmark, Split
from vgtoolbox.preparation.raw_files import objects_in

_NO_SPLIT = "all"


def own_benchmark(file: Path, images: Path) -> Benchmark:
    """Describe a file of one's own, COCO JSON with `expressions` or JSON lines.

    Its data root is the file's folder.

    Args:
        file: What to read.
        images: Folder that the names of images are relative to.

    Raises:
        FileNotFoundError: There is none.
        AnnotationError: It is neither.
    """
    kind, items = _read(file)
    names = sorted({str(item["split"]) for item in items if "split" in item}) or [_NO_SPLIT]
    return Benchmark(
        name=file.stem,
        title=str(file),
        bundles=(),
        images=(),
        reader={"type": kind, "ann_file": file.name, "image_root": str(images.resolve())},
        splits=tuple(Split(name=name, options={"split": name}) for name in names),
    )


def _read(file: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return the reader of a file, and what may name a split in it."""
    if file.suffix != ".jsonl":
        content = read_annotations_file(file)
        if isinstance(content, dict) and "annotations" in content:
            parts = ("images", "annotations", "annotation_groups")
            items = [item for part in parts for item in objects_in(content.get(part))]
            return "COCOExpressionsDataset", items
        if isinstance(content, list):
            return "JSONLinesDataset", objects_in(content)
        raise AnnotationError(
            f"{file} is no COCO JSON, which has 'images' and 'annotations', and no list of objects "
            "with 'image' and 'expression'"
        )
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return "JSONLinesDataset", objects_in([_parse(line) for line in lines if line.strip()])


def _parse(line: str) -> Any:
    """Parse a line; one that is broken names no split, and is a fault of the check."""
    try:
        return parse_json(line)
    except FieldError:
        return None
