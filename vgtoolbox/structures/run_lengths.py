"""Decode run lengths of masks, also directly at another size.

Runs are counted column by column and begin with background: a mask of H x W pixels is a sequence of
numbers of 0s, 1s, 0s, ... that add up to H * W (cocoapi, maskApi.h).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Runs = NDArray[np.int64]

# Most characters of a number: 6 * 5 = 30 bits. pycocotools decodes longer ones wrongly.
_MAX_CHARACTERS = 6
_ALPHABET = bytes(range(48, 112))
# Value of each byte of the alphabet: 5 bits, which are signed in the last character of a number.
_VALUES = np.r_[np.zeros(48), np.arange(16), np.arange(-16, 0), np.arange(32)].astype(np.int64)
_FIRST_CONTINUED = 48 + 32


def unpack_runs(counts: str | bytes) -> Runs:
    """Decode COCO's compressed counts into run lengths.

    A character minus "0" holds 5 bits of a number, low bits first. Bit 5 says that the number
    continues in the next character, bit 4 of its last character is the sign. From the fourth number
    on, numbers are differences to the number two positions before (cocoapi, maskApi.c,
    rleToString).

    Args:
        counts: Compressed counts.

    Returns:
        Run lengths (R,). They may be negative or not fit the image if `counts` is corrupt.

    Raises:
        ValueError: A character is not one of "0" to "o", the last number is incomplete, or a number
            has more characters than the size of an image requires.
    """
    text = counts.encode("utf-8", "surrogatepass") if isinstance(counts, str) else counts
    if foreign := text.translate(None, _ALPHABET):
        raise ValueError(f'counts must have characters "0" to "o" only, got {foreign[:8]!r}')
    characters = np.frombuffer(text, np.uint8)
    last = (characters < _FIRST_CONTINUED).nonzero()[0]  # character of each number
    if len(text) == 0:
        return np.zeros(0, np.int64)
    if len(last) == 0 or last[-1] != len(text) - 1:
        raise ValueError(f"counts must end with a complete number, got the end {text[-8:]!r}")
    first = np.empty_like(last)
    first[0] = 0
    np.add(last[:-1], 1, out=first[1:])
    place = np.arange(len(text))
    place -= first.repeat(last - first + 1)  # of a character in its number
    if place.max() >= _MAX_CHARACTERS:
        raise ValueError(
            f"a compressed run length must have at most {_MAX_CHARACTERS} characters, got "
            f"{place.max() + 1}"
        )
    place *= 5
    runs = np.add.reduceat(_VALUES.take(characters) << place, first)
    runs[1::2].cumsum(out=runs[1::2])
    runs[2::2].cumsum(out=runs[2::2])
    return runs


def summarize_runs(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sum and the shortest of the run lengths of many masks.

    It is three times as fast as to unpack each of them, since most of that time is spent on calls
    for short arrays.

    Args:
        texts: Compressed counts (M,) of masks, each with at least one character, whose last one
            completes a number.

    Returns:
        Sums (M,) and minima (M,). A first run of 0 is not counted as the shortest.

    Raises:
        ValueError: A character is not one of "0" to "o", or a number has too many characters.
    """
    text = "".join(texts).encode()
    if text.translate(None, _ALPHABET):
        raise ValueError('counts must have characters "0" to "o" only')
    characters = np.frombuffer(text, np.uint8)
    last = (characters < _FIRST_CONTINUED).nonzero()[0]  # character of each number
    numbers = _VALUES.take(characters.take(last))
    _add_continued(numbers, characters)
    ends = np.fromiter(map(len, texts), np.int64, len(texts)).cumsum()
    first = np.zeros_like(ends)  # number of each mask
    first[1:] = last.searchsorted(ends[:-1] - 1) + 1
    runs, opening = _sum_alternately(numbers, first), numbers.take(first)
    runs[first] = opening
    sums = np.add.reduceat(runs, first)
    runs[first] = np.where(opening == 0, 1, opening)
    return sums, np.minimum.reduceat(runs, first)


def _add_continued(numbers: Runs, characters: NDArray[np.uint8]) -> None:
    """Add the characters before the last one to each number, of which `numbers` has the last."""
    continued = (characters >= _FIRST_CONTINUED).nonzero()[0]
    if len(continued) == 0:
        return
    number = continued - np.arange(len(continued))
    starts = np.diff(number, prepend=-1).nonzero()[0]
    lengths = np.diff(starts, append=len(continued))
    if lengths.max() >= _MAX_CHARACTERS:
        raise ValueError(f"a compressed run length must have at most {_MAX_CHARACTERS} characters")
    place = np.arange(len(continued)) - starts.repeat(lengths)
    values = _VALUES.take(characters.take(continued)) << (5 * place)
    chosen = number.take(starts)
    numbers[chosen] = (numbers.take(chosen) << (5 * lengths)) + np.add.reduceat(values, starts)


def _sum_alternately(numbers: Runs, first: NDArray[np.int64]) -> Runs:
    """Sum every second number from the beginning of each mask, except its first number.

    Args:
        numbers: Numbers (R,) of all masks.
        first: Position (M,) of the first number of each mask.
    """
    runs = numbers.copy()
    runs[0::2].cumsum(out=runs[0::2])
    runs[1::2].cumsum(out=runs[1::2])
    # The sums of earlier masks are subtracted: those at the first number, which is not a
    # difference, and at the number before it.
    before = np.where(first > 0, runs.take(first - 1), 0)
    at_first = runs.take(first)
    counts, is_odd = np.diff(first, append=len(numbers)), first & 1
    for parity in (0, 1):
        begins_here = is_odd == parity
        base = np.where(begins_here, at_first, before)
        runs[parity::2] -= base.repeat((counts + begins_here) // 2)
    return runs


def canonical_runs(runs: Runs) -> Runs:
    """Merge the neighbors of empty runs, so that only the first run can be empty.

    Args:
        runs: Run lengths (R,).
    """
    colors, lengths = (np.arange(len(runs)) & 1)[runs > 0], runs[runs > 0]
    starts = np.flatnonzero(np.diff(colors, prepend=-1))
    merged = np.add.reduceat(lengths, starts) if len(starts) else lengths
    return np.r_[0, merged] if len(colors) and colors[0] else merged


def decode_runs_resized(
    runs: Runs, size: tuple[int, int], new_size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Decode a mask at another size, equal to decoding it and resizing with nearest neighbor.

    The end of each run moves to the first sampled pixel after it, so that only sampled pixels are
    written. For photos this is five times as fast as the two steps.

    Args:
        runs: Run lengths (R,) of the mask.
        size: Height and width (H, W) of the mask.
        new_size: Height and width (H', W') of the result.

    Returns:
        Mask (H', W') of 0 and 1, equal to OpenCV's `INTER_NEAREST`.
    """
    height, new_height = size[0], new_size[0]
    rows = nearest_sources(size[0], new_size[0])
    columns, repeats = _distinct_sources(size[1], new_size[1])
    column, row = np.divmod(np.cumsum(runs), height)  # of the end of each run, (R,)
    ends = np.searchsorted(columns, column) * new_height
    is_sampled = columns[np.minimum(ends // new_height, len(columns) - 1)] == column
    ends += np.where(is_sampled, np.searchsorted(rows, row), 0)
    lengths = np.diff(np.minimum(ends, len(columns) * new_height), prepend=0)
    pixels = np.repeat((np.arange(len(runs)) & 1).astype(np.uint8), lengths)
    planes = pixels.reshape(len(columns), new_height)
    if len(columns) != new_size[1]:  # upsampling: a column is sampled more than once
        planes = planes[repeats]
    return cv2.transpose(planes).astype(np.uint8, copy=False)


@lru_cache(maxsize=1024)
def nearest_sources(length: int, new_length: int) -> NDArray[np.int64]:
    """Return the source pixel of each pixel that OpenCV's nearest neighbor interpolation uses.

    The indices are computed with OpenCV itself, because its rounding differs between versions.

    Args:
        length: Number of source pixels on an axis.
        new_length: Number of pixels after resizing.

    Returns:
        Indices (new_length,) in [0, length).
    """
    positions = np.arange(length, dtype=np.float32)[None]
    sources = cv2.resize(positions, (new_length, 1), interpolation=cv2.INTER_NEAREST)
    return sources.reshape(-1).astype(np.int64)


@lru_cache(maxsize=1024)
def _distinct_sources(length: int, new_length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the source pixels that are sampled, and the index among them of each new pixel.

    Args:
        length: Number of source pixels on an axis.
        new_length: Number of pixels after resizing.

    Returns:
        Sampled source pixels (S,), increasing, and indices (new_length,) in [0, S).
    """
    sources = nearest_sources(length, new_length)
    distinct, position = np.unique(sources, return_inverse=True)
    return distinct, position
