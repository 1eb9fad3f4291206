"""Remember the masks that were checked most recently."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from vgtoolbox.structures.run_lengths import summarize_runs

Key: TypeAlias = tuple[str, tuple[int, int]]


class RecentMasks:
    """Masks known to be valid, of which the most recent ones are remembered.

    A mask is read by pycocotools several times between reading and scoring, and is checked once.
    Masks are compared by content, so that changes cannot go unnoticed.

    Args:
        max_characters: Number of characters of run lengths after which older masks are forgotten.
    """

    def __init__(self, *, max_characters: int) -> None:
        self._max_characters = max_characters
        self._characters = 0
        self._masks: set[Key] = set()
        self._older: set[Key] = set()

    def add(self, counts: str, size: tuple[int, int]) -> None:
        """Remember a mask of `size` (H, W)."""
        if self._characters > self._max_characters:
            self._older, self._masks, self._characters = self._masks, set(), 0
        self._masks.add((counts, size))
        self._characters += len(counts)

    def __contains__(self, mask: Key) -> bool:
        return mask in self._masks or mask in self._older

    def has(self, rle: dict[str, Any], size: tuple[int, int] | None = None) -> bool:
        """Return whether an encoding is remembered, and is for an image of `size` (H, W).

        Args:
            rle: Any mapping; only an encoding with text can be remembered.
            size: Height and width (H, W). If `None`, the encoding may have any size.
        """
        counts, own = rle.get("counts"), rle.get("size")
        if type(counts) is not str or type(own) is not list or len(own) != 2:
            return False
        height, width = own
        if type(height) is not int or type(width) is not int:
            return False
        mask = counts, (height, width)
        is_known = mask in self._masks or mask in self._older
        return is_known and (size is None or (height == size[0] and width == size[1]))


VALID_MASKS = RecentMasks(max_characters=2**22)


def screen_masks(rles: Iterable[Any]) -> None:
    """Remember the valid ones of many compressed masks, which is faster than `check_rle` alone.

    Args:
        rles: Values that should be encodings. Others are ignored, and so are invalid ones:
            `check_rle` says what is wrong with them.
    """
    found: dict[Key, None] = {}
    for rle in rles:
        if not isinstance(rle, dict):
            continue
        counts, size = rle.get("counts"), rle.get("size")
        if isinstance(counts, str) and isinstance(size, list) and len(size) == 2:
            is_complete = counts[-1:] < "P" and counts.isascii() and counts
            if is_complete and type(size[0]) is int and type(size[1]) is int:
                found[counts, (size[0], size[1])] = None
    masks = [mask for mask in found if mask not in VALID_MASKS]
    if not masks:
        return
    try:
        sums, shortest = summarize_runs([counts for counts, _ in masks])
    except ValueError:
        return
    for (counts, (height, width)), total, least in zip(
        masks, sums.tolist(), shortest.tolist(), strict=True
    ):
        if total == height * width and least > 0:
            VALID_MASKS.add(counts, (height, width))
