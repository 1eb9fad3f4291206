"""Corner cases of official annotation files, applied by position so that all of them appear.

Sentences in capitals, with typographic characters or repeated; masks as polygons, compressed RLE,
and the uncompressed RLE that COCO uses for crowds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from vgtoolbox.structures import decode_masks, segmentation_to_rle
from vgtoolbox.structures.masks import Segmentation

Json = dict[str, Any]

_CAPITALS, _TYPOGRAPHIC, _REPEATED = 7, 5, 11
"""Periods of the corner cases, in sentences."""
_CROWD, _COMPRESSED = 5, 4
"""Periods of the corner cases, in annotations."""


def vary_sentences(sentences: Iterable[Json], *, first_id: int) -> list[Json]:
    """Return sentences with corner cases in `raw`, renumbered from `first_id`.

    `sent` remains the cleaned text. A repeated sentence has two ids.
    """
    return [
        {**sentence, "sent_id": first_id + offset}
        for offset, sentence in enumerate(_with_repetitions(sentences, first_id))
    ]


def _with_repetitions(sentences: Iterable[Json], first_id: int) -> Iterator[Json]:
    for number, sentence in enumerate(sentences, start=first_id):
        odd = {**sentence, "raw": vary_spelling(sentence["raw"], number)}
        yield odd
        if number % _REPEATED == 0:
            yield odd


def vary_spelling(text: str, number: int) -> str:
    """Return `text` in capitals, with typographic characters or unchanged, by its number."""
    if number % _CAPITALS == 1:
        return text.upper()
    if number % _TYPOGRAPHIC == 2:
        # Curly quotes, a no-break space and an ellipsis, as text editors insert them.
        return "\N{LEFT DOUBLE QUOTATION MARK}{}\N{RIGHT DOUBLE QUOTATION MARK}\u2026".format(
            text.replace(" ", "\N{NO-BREAK SPACE}", 1)
        )
    return text


def vary_annotation(annotation: Json, size: tuple[int, int]) -> Json:
    """Return an annotation with its mask as polygons, as RLE, or as uncompressed RLE of a crowd.

    Args:
        annotation: Annotation of `instances.json`.
        size: (H, W) of its image.
    """
    segmentation = annotation["segmentation"]
    if annotation["id"] % _CROWD == 0:
        return {**annotation, "iscrowd": 1, "segmentation": uncompressed_rle(segmentation, size)}
    if annotation["id"] % _COMPRESSED == 0:
        return {**annotation, "segmentation": segmentation_to_rle(segmentation, size)}
    return annotation


def uncompressed_rle(segmentation: Segmentation, size: tuple[int, int]) -> Json:
    """Return a mask as alternating run lengths of background and object, in column order."""
    pixels = decode_masks([segmentation_to_rle(segmentation, size)])[0].T.flatten().numpy()
    edges = np.flatnonzero(np.diff(pixels, prepend=False))
    counts = np.diff(np.concatenate([[0], edges, [pixels.size]]))
    return {"size": list(size), "counts": counts.tolist()}
