"""Pair images with expressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from vgtoolbox.inference.inputs.sources import ImageLike, is_one_image, list_images

Expressions = str | Sequence[str] | Sequence[Sequence[str]]
Pair = tuple[ImageLike, str]
Item = TypeVar("Item")


def pair_up(images: ImageLike | Iterable[ImageLike], expressions: Expressions) -> list[Pair]:
    """Pair images with expressions.

    - One expression is paired with all images, and one image with all expressions.
    - Otherwise the counts must be equal, and they are paired in order.
    - A list of expressions in place of one is paired with the one image: `[["a", "b"]]` pairs both
      with every image, `[["a", "b"], ["c"]]` is a list for each of two images.

    Args:
        images: One or several images, as `list_images` accepts them. A folder or a pattern counts
            as several.
        expressions: One expression, several, or several for each image.

    Returns:
        The pairs; those of an image follow each other.

    Raises:
        ValueError: The counts do not match, or there is no expression.
        TypeError: An expression is not a text.
    """
    left = list_images(images)
    right, is_nested = _expression_lists(expressions)
    if is_one_image(images) and not is_nested:
        left *= len(right)
    if isinstance(expressions, str) or (is_nested and len(right) == 1):
        right *= len(left)
    if len(left) != len(right):
        raise ValueError(
            f"expected equal counts of images and expressions, got {len(left)} images and "
            f"{len(right)} expressions; give one image for all expressions, one expression for all "
            "images, or a list in a list, [[...]], to pair every expression with every image"
        )
    return [(image, text) for image, texts in zip(left, right, strict=True) for text in texts]


def _expression_lists(expressions: Expressions) -> tuple[list[list[str]], bool]:
    """Return a list of texts for each entry, and whether an entry was itself a list."""
    if isinstance(expressions, str):
        return [[expressions]], False
    if not isinstance(expressions, Iterable) or isinstance(expressions, bytes):
        raise TypeError(
            f"expressions must be a text or a list of texts, got {type(expressions).__name__}"
        )
    entries = list(expressions)
    lists = [_as_list(entry) for entry in entries]
    if not any(lists):
        raise ValueError(
            "expressions must contain at least one text, got an empty list; for example "
            'expressions="the red circle"'
        )
    return lists, any(not isinstance(entry, str) for entry in entries)


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Split a sequence into parts of `size`; the last part may be shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _as_list(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    if isinstance(entry, Iterable):
        texts = list(entry)
        if all(isinstance(text, str) for text in texts):
            return texts
    raise TypeError(
        f"an expression must be a text, or a list of texts for one image, got {entry!r}"
    )
