"""Which expression is asked of which image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from vgtoolbox.inference.inputs.sources import ImageLike, is_one_image, list_images

Expressions = str | Sequence[str] | Sequence[Sequence[str]]
Pair = tuple[ImageLike, str]
Item = TypeVar("Item")


def pair_up(images: ImageLike | Iterable[ImageLike], expressions: Expressions) -> list[Pair]:
    """Pair images with expressions, by one rule.

    - one expression goes with all images, and one image with all expressions;
    - otherwise there are as many of one as of the other, and they go together in order;
    - a list of expressions in the place of one is asked of the one image: `[["a", "b"]]` asks both
      of every image, `[["a", "b"], ["c"]]` is a list for each of two images.

    Args:
        images: One or several, as `list_images` takes them; a folder or a pattern is several.
        expressions: One, several, or several for each.

    Returns:
        The pairs, all of an image one after the other.

    Raises:
        ValueError: The numbers do not fit.
    """
    left = list_images(images)
    one_expression = isinstance(expressions, str)
    right = [[expressions]] if isinstance(expressions, str) else [*map(_as_list, expressions)]
    nested = not one_expression and any(not isinstance(entry, str) for entry in expressions)
    if is_one_image(images) and not nested:
        left *= len(right)
    if one_expression or (nested and len(right) == 1):
        right *= len(left)
    if len(left) != len(right):
        raise ValueError(
            f"{len(left)} images and {len(right)} expressions do not pair up: give one image for "
            "all expressions, one expression for all images, as many of one as of the other, or "
            "[[...]], a list in a list, to ask every expression of every image"
        )
    return [(i, text) for i, texts in zip(left, right, strict=True) for text in texts]


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cut a sequence into parts of `size`; the last may be shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _as_list(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    if isinstance(entry, Iterable):
        texts = list(entry)
        if all(isinstance(text, str) for text in texts):
            return texts
    raise TypeError(f"an expression is a text, or a list of texts for one image, got {entry!r}")
