"""Remember the masks that were checked most recently."""

from __future__ import annotations

from typing import TypeAlias

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
