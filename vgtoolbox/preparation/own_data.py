"""Describe a custom annotation file as a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import (
    PICKLE_SUFFIXES,
    AnnotationError,
    FieldError,
    dicts_in,
    parse_json,
    read_annotation_lines,
    read_annotations_file,
)
from vgtoolbox.datasets.readers.json_lines import is_json_array
from vgtoolbox.preparation.benchmark import Benchmark, Split
from vgtoolbox.utils.text_files import plain_suffix

_NO_SPLIT = "all"


def own_benchmark(file: Path, images: Path) -> Benchmark:
    """Describe a custom file, COCO JSON with `expressions` or JSON lines, as a benchmark.

    The data root of the benchmark is the folder of the file; its splits are those in the file.

    Args:
        file: Annotation file.
        images: Folder that image paths are relative to.

    Raises:
        FileNotFoundError: `file` does not exist.
        AnnotationError: `file` has another format.
    """
    kind, items = _read(file)
    names = sorted({str(item["split"]) for item in items if "split" in item}) or [_NO_SPLIT]
    return Benchmark(
        name=file.stem,
        title=str(file),
        annotation_files=(),
        images=(),
        reader={"type": kind, "ann_file": file.name, "image_root": str(images.resolve())},
        splits=tuple(Split(name=name, options={"split": name}) for name in names),
    )


def _read(file: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return the reader of a file, and the items in it that can name a split."""
    if plain_suffix(file) in PICKLE_SUFFIXES:
        raise AnnotationError(f"{file} must be JSON or JSON lines, got a pickle")
    if _is_lines(file):
        lines = (_parse(line) for _, line in read_annotation_lines(file))
        return "JSONLinesDataset", dicts_in(list(lines))
    content = read_annotations_file(file)
    if isinstance(content, dict) and "annotations" in content:
        parts = ("images", "annotations", "annotation_groups")
        items = [item for part in parts for item in dicts_in(content.get(part))]
        return "COCOExpressionsDataset", items
    if isinstance(content, list):
        return "JSONLinesDataset", dicts_in(content)
    if isinstance(content, dict) and "image" in content:  # a single line
        return "JSONLinesDataset", [content]
    raise AnnotationError(
        f"{file} must be COCO JSON with 'images' and 'annotations', or a list of objects with "
        f"'image' and 'expression', got {type(content).__name__} without these keys"
    )


def _is_lines(file: Path) -> bool:
    """Return whether a file is JSON lines: by its name, or if its first line is an object."""
    suffix = plain_suffix(file)
    if suffix in (".jsonl", ".ndjson"):
        return not is_json_array(file)
    lines = read_annotation_lines(file)
    first, second = (next(lines, (0, b""))[1] for _ in range(2))
    return bool(second) and isinstance(_parse(first), dict)


def _parse(line: bytes) -> Any:
    """Parse a line; return `None` for an invalid one, which the check reports."""
    try:
        return parse_json(line.decode("utf-8", "replace"))  # a wrong encoding is reported, too
    except FieldError:
        return None
