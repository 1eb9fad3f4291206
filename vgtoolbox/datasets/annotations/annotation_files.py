"""Reading annotation files that may be broken: errors name the file, the place and the key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, TypeAlias, get_args

from vgtoolbox.structures import rle_boxes_xyxy, segmentation_to_rle
from vgtoolbox.utils.restricted_pickle import load_restricted_pickle

Number: TypeAlias = int | float

_MAX_PIXEL = 2**31
_MAX_SIDE = 100_000


class FieldError(ValueError):
    """A value of an annotation is not what its format says; where it stands, the caller knows."""


class AnnotationError(ValueError):
    """An annotation file can not be read as its format says; the message names file and key."""


class Entry(NamedTuple):
    """One raw annotation and where it stands."""

    file: Path
    name: str
    """What to call it in a message, as "ref 17"."""
    value: Any


def read_annotations_file(path: Path) -> Any:
    """Read a JSON file, or a pickle (`.p`, `.pkl`, `.pickle`) of plain containers.

    Raises:
        AnnotationError: It is truncated, no JSON, or nested without end.
        pickle.UnpicklingError: It is a pickle that is broken, or that would run code; nothing ran.
    """
    if path.suffix in (".p", ".pkl", ".pickle"):
        return load_restricted_pickle(path)
    try:
        return parse_json(path.read_bytes())
    except FieldError as error:
        raise AnnotationError(f"{path} is {error}") from None


def parse_json(text: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        FieldError: It is truncated, no JSON, or nested without end.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FieldError(f"truncated or no JSON: {error}") from None


def expect(entry: Any, key: str, kind: type | UnionType) -> Any:
    """Return `entry[key]`, a value of `kind`; True and False are no numbers.

    Raises:
        FieldError: `entry` is no mapping, has no such key, or holds something else there.
    """
    if not isinstance(entry, dict):
        raise FieldError(f"expected an object with the key {key!r}, found {describe(entry)}")
    if key not in entry:
        raise FieldError(f"the key {key!r} is missing; there are: {', '.join(map(str, entry))}")
    value = entry[key]
    # Hundreds of thousands come here: the message is made where one is needed.
    return value if _is_a(value, kind) else expect_value(value, f"the key {key!r}", kind)


def expect_value(value: Any, what: str, kind: type | UnionType) -> Any:
    """Return `value`; where it is not a `kind`, raise FieldError about `what` holds it."""
    if _is_a(value, kind):
        return value
    expected = getattr(kind, "__name__", None) or str(kind)
    raise FieldError(f"{what} should hold {expected}, found {describe(value)}")


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
            expect_value(item, f"the key {key!r}, item {position},", kind)
    return list(items)


def expect_texts(entry: Any, key: str) -> list[str]:
    """Return the texts `entry[key]`, one or several."""
    value = expect(entry, key, str | list | tuple)
    texts = [value] if isinstance(value, str) else expect_items(entry, key, str)
    if not texts:
        raise FieldError(f"the key {key!r} is empty")
    return texts


def expect_box(box: Any, what: str = "the key 'bbox'") -> list[Number]:
    """Return a box: four finite numbers."""
    is_box = isinstance(box, list | tuple) and len(box) == 4
    if not is_box or not _are_numbers(box) or not all(abs(x) < _MAX_PIXEL for x in box):
        found = list(box) if is_box else describe(box)
        raise FieldError(f"{what} should hold a box, 4 finite numbers; found {found!r:.99}")
    return list(box)


def expect_segmentation(value: Any, what: str = "the key 'segmentation'") -> Any:
    """Return polygons [[x1, y1, ...], ...] or an RLE dict; a list of one RLE (RefCLEF) is unpacked.

    Whether the polygons can be drawn is for what draws them to say.
    """
    if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], Mapping):
        value = value[0]
    if isinstance(value, Mapping):
        size = expect_items(value, "size", int)
        if len(size) != 2 or not all(0 < side < _MAX_SIDE for side in size):
            raise FieldError(f"{what} should have a size [height, width], found {size!r:.60}")
        counts = expect(value, "counts", str | bytes | list)
        if isinstance(counts, list) and not _are_numbers(counts):
            raise FieldError(f"{what} has run lengths that are no numbers")
        text = counts.decode("ascii", "replace") if isinstance(counts, bytes) else counts
        return {"size": size, "counts": text}
    for position, polygon in enumerate(expect_value(value, what, list | tuple)):
        if not _are_numbers(expect_value(polygon, f"{what}, polygon {position},", list | tuple)):
            raise FieldError(f"{what}, polygon {position}, has coordinates that are no numbers")
    return value


def segmentation_box(segmentation: Any) -> list[Number]:
    """Return the box [x, y, w, h] around a mask that `expect_segmentation` gave."""
    if isinstance(segmentation, Mapping):
        try:
            rle = segmentation_to_rle(dict(segmentation), tuple(segmentation["size"]))
        except (ValueError, TypeError) as error:
            raise FieldError(str(error)) from None
        x1, y1, x2, y2 = rle_boxes_xyxy([rle])[0].tolist()
        return [x1, y1, x2 - x1, y2 - y1]
    xs = [x for polygon in segmentation for x in polygon[::2]]
    ys = [y for polygon in segmentation for y in polygon[1::2]]
    if not xs or not ys:
        raise FieldError("a mask without a polygon has no box")
    return expect_box([min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)], "the mask")


def _are_numbers(values: Iterable[Any]) -> bool:
    return set(map(type, values)) <= {int, float}


def describe(value: Any) -> str:
    """Show a value of unknown size and depth in a few words."""
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return f"{type(value).__name__} of {len(value)}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
