"""Read and validate annotation files; errors name the file, the position and the key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, TypeAlias, get_args

from vgtoolbox.structures import (
    GeometryError,
    check_box,
    check_polygons,
    check_size,
    rle_boxes_xyxy,
    segmentation_to_rle,
)
from vgtoolbox.utils.restricted_pickle import DamagedPickleError, load_restricted_pickle
from vgtoolbox.utils.shared_parts import SharedPartsError, check_shared_parts
from vgtoolbox.utils.text_files import (
    CompressedFileError,
    EncodingError,
    decode_utf8,
    iter_lines,
    plain_suffix,
    read_bytes,
)
from vgtoolbox.utils.values import are_numbers
from vgtoolbox.utils.values import describe as describe

Number: TypeAlias = int | float

PICKLE_SUFFIXES = (".p", ".pkl", ".pickle")


class FieldError(ValueError):
    """Error for a value that violates its format; the caller adds file and position."""


class AnnotationError(ValueError):
    """Error for an annotation file that violates its format; it names file and key."""


class Entry(NamedTuple):
    """One raw annotation with its position.

    Attributes:
        file: File that contains it.
        name: Name of the annotation in messages, as "ref 17".
        value: Raw annotation.
    """

    file: Path
    name: str
    value: Any


def read_annotations_file(path: Path) -> Any:
    """Read a JSON file, plain or compressed with gzip, or a pickle of plain containers.

    Args:
        path: Path of the file; `.p`, `.pkl` and `.pickle` are pickles.

    Raises:
        AnnotationError: The file is truncated, not JSON, not UTF-8, or nested too deeply, or a
            broken pickle.
        RefusedPickleError: The pickle would run code. No code has run.
    """
    if path.suffix in PICKLE_SUFFIXES:
        return read_annotations_pickle(path)
    if plain_suffix(path) in PICKLE_SUFFIXES:
        raise AnnotationError(f"{path} must be a plain pickle, got a compressed one; decompress it")
    try:
        return parse_json(decode_utf8(read_bytes(path)))
    except EncodingError as error:
        raise AnnotationError(f"{path}, line {error.line}: the text {error}") from None
    except CompressedFileError as error:
        raise AnnotationError(str(error)) from None
    except FieldError as error:
        raise AnnotationError(f"{path} is {error}") from None


def read_annotations_pickle(path: Path, *, depth: int = 2) -> Any:
    """Read a pickle of plain containers.

    Args:
        path: Path of the file.
        depth: Number of levels in which parts that are used many times are looked for.

    Raises:
        AnnotationError: The pickle is broken.
        RefusedPickleError: The pickle would run code. No code has run.
    """
    try:
        content = load_restricted_pickle(path)
    except DamagedPickleError as error:
        raise AnnotationError(str(error)) from None
    check_parts(content, path, depth=depth)
    return content


def check_parts(content: Any, path: Path, *, depth: int) -> None:
    """Raise if the content of a pickle is much larger than its file (`check_shared_parts`).

    Raises:
        AnnotationError: It is; the message names the file.
    """
    try:
        check_shared_parts(content, path.stat().st_size, depth=depth)
    except SharedPartsError as error:
        raise AnnotationError(f"{path} cannot be read: {error}") from None


def read_annotation_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, line) of a text file, plain or compressed, without blank lines.

    Raises:
        AnnotationError: The file is in UTF-16 or UTF-32, or damaged.
    """
    try:
        yield from iter_lines(path)
    except EncodingError as error:
        raise AnnotationError(f"{path}, line {error.line}: the text {error}") from None
    except CompressedFileError as error:
        raise AnnotationError(str(error)) from None


def parse_json(text: bytes | str) -> Any:
    """Parse JSON; bytes must be UTF-8.

    Raises:
        FieldError: The text is truncated, not JSON, not UTF-8, or nested too deeply.
    """
    try:
        return json.loads(decode_utf8(text) if isinstance(text, bytes) else text)
    except EncodingError as error:
        raise FieldError(f"the text {error}") from None
    except (ValueError, RecursionError) as error:
        raise FieldError(f"truncated or not JSON: {error}") from None


def expect(entry: Any, key: str, kind: type | UnionType) -> Any:
    """Return `entry[key]`, a value of `kind`; True and False do not count as numbers.

    Raises:
        FieldError: `entry` is not a mapping, has no such key, or has a value of another kind.
    """
    if not isinstance(entry, dict):
        raise FieldError(f"it must be an object with the key {key!r}, got {describe(entry)}")
    if key not in entry:
        raise FieldError(f"the key {key!r} is missing; existing keys: {', '.join(map(str, entry))}")
    value = entry[key]
    # Called for hundreds of thousands of values: the message is built only if it is needed.
    return value if _is_a(value, kind) else expect_value(value, f"the key {key!r}", kind)


def expect_value(value: Any, what: str, kind: type | UnionType) -> Any:
    """Return `value`, which must be of `kind`.

    Args:
        value: Value to check.
        what: Name of the value, for the error.
        kind: Type, or union of types.

    Raises:
        FieldError: `value` is of another kind.
    """
    if _is_a(value, kind):
        return value
    expected = getattr(kind, "__name__", None) or str(kind)
    raise FieldError(f"{what} must be {expected}, got {describe(value)}")


def _is_a(value: Any, kind: type | UnionType) -> bool:
    allowed = isinstance(value, kind)
    if allowed and isinstance(value, bool):
        return bool in (kind, *get_args(kind))
    return allowed


def expect_items(entry: Any, key: str, kind: type | UnionType) -> list[Any]:
    """Return the list `entry[key]`, whose items are all of `kind`."""
    items = expect(entry, key, list | tuple)
    for position, item in enumerate(items):
        if not _is_a(item, kind):
            expect_value(item, f"the key {key!r}, item {position}", kind)
    return list(items)


def expect_texts(entry: Any, key: str, *, allow_none: bool = False) -> list[str]:
    """Return the texts `entry[key]`, one or several.

    Args:
        entry: Mapping with the key.
        key: Key of the texts.
        allow_none: Whether the list of texts may be empty.
    """
    value = expect(entry, key, str | list | tuple)
    texts = [value] if isinstance(value, str) else expect_items(entry, key, str)
    if not texts and not allow_none:
        raise FieldError(f"the key {key!r} must be one text or more, got none")
    return texts


def expect_box(box: Any, what: str = "the key 'bbox'") -> list[Number]:
    """Return a box as a list of four finite numbers."""
    try:
        return check_box(box, what)
    except GeometryError as error:
        raise FieldError(str(error)) from None


def expect_segmentation(value: Any, what: str = "the key 'segmentation'") -> Any:
    """Return polygons [[x1, y1, ...], ...], an RLE dict, or `None` if there is only a box.

    A list of one RLE (RefCLEF) is unpacked. `None`, an empty list and a list of empty lists, which
    annotation tools export for boxes, mean that there is no mask. Points of polygons and the sum of
    run lengths are checked later, with the size of the image.

    Raises:
        FieldError: The value is of another kind, or a coordinate is not a number.
    """
    if value is None or (isinstance(value, list | tuple) and all(part == [] for part in value)):
        return None
    if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], Mapping):
        value = value[0]
    try:
        if isinstance(value, Mapping):
            return _expect_rle(value, what)
    except GeometryError as error:
        raise FieldError(str(error)) from None
    for position, polygon in enumerate(expect_value(value, what, list | tuple)):
        if not isinstance(polygon, list | tuple) or not are_numbers(polygon):
            raise FieldError(
                f"the coordinates of {what}, polygon {position}, must be numbers, got "
                f"{describe(polygon)}"
            )
    return value


def _expect_rle(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    size = check_size(expect(dict(value), "size", list | tuple), f"the size of {what}")
    counts = expect(dict(value), "counts", str | bytes | list)
    if isinstance(counts, list) and not are_numbers(counts):
        raise FieldError(f"the run lengths of {what} must be numbers")
    text = counts.decode("latin-1") if isinstance(counts, bytes) else counts
    return {"size": list(size), "counts": text}


def segmentation_box(segmentation: Any) -> list[Number]:
    """Return the box [x, y, w, h] around a mask returned by `expect_segmentation`."""
    if not segmentation:
        raise FieldError("the mask must have one polygon or more to derive its box, got none")
    try:
        if isinstance(segmentation, Mapping):
            rle = segmentation_to_rle(dict(segmentation), tuple(segmentation["size"]))
            x1, y1, x2, y2 = rle_boxes_xyxy([rle])[0].tolist()
            return [x1, y1, x2 - x1, y2 - y1]
        polygons, _ = check_polygons(segmentation)
    except GeometryError as error:
        raise FieldError(str(error)) from None
    xs = [x for polygon in polygons for x in polygon[::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    return expect_box([min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)], "the mask")


def dicts_in(value: Any) -> list[dict[str, Any]]:
    """Return the dicts in a list; an empty list for any other value."""
    items = value if isinstance(value, list | tuple) else []
    return [item for item in items if isinstance(item, dict)]
