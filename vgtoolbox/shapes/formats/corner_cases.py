"""The oddities of the real files, spread over a twin by position: each appears in any world.

Sentences shouted, typed with typographic characters or said twice; masks as polygons, compressed
run lengths, and the uncompressed ones that COCO keeps for crowds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from vgtoolbox.structures import decode_masks, segmentation_to_rle
from vgtoolbox.structures.masks import Segmentation

Json = dict[str, Any]

_SHOUTED, _TYPOGRAPHIC, _REPEATED = 7, 5, 11
"""Every so many-th sentence."""
_CROWD, _COMPRESSED = 5, 4
"""Every so many-th annotation."""


def odd_sentences(sentences: Iterable[Json], *, first_id: int) -> list[Json]:
    """Return sentences as people leave them in the files, numbered anew from `first_id`.

    `sent` stays the cleaned text, `raw` is what was typed. What is said twice has two ids.
    """
    return [
        {**sentence, "sent_id": first_id + offset}
        for offset, sentence in enumerate(_with_repetitions(sentences, first_id))
    ]


def _with_repetitions(sentences: Iterable[Json], first_id: int) -> Iterator[Json]:
    for number, sentence in enumerate(sentences, start=first_id):
        odd = {**sentence, "raw": odd_spelling(sentence["raw"], number)}
        yield odd
        if number % _REPEATED == 0:
            yield odd


def odd_spelling(text: str, number: int) -> str:
    """Return `text` in capitals or with typographic characters, depending on its number."""
    if number % _SHOUTED == 1:
        return text.upper()
    if number % _TYPOGRAPHIC == 2:
        # Curly quotes, a no-break space and an ellipsis: what text editors put in.
        return "\N{LEFT DOUBLE QUOTATION MARK}{}\N{RIGHT DOUBLE QUOTATION MARK}\u2026".format(
            text.replace(" ", "\N{NO-BREAK SPACE}", 1)
        )
    return text


def odd_annotation(annotation: Json, size: tuple[int, int]) -> Json:
    """Return an annotation with its mask as polygons, RLE, or a crowd's uncompressed RLE.

    Args:
        annotation: Of `instances.json`.
        size: (H, W) of its image.
    """
    segmentation = annotation["segmentation"]
    if annotation["id"] % _CROWD == 0:
        return {**annotation, "iscrowd": 1, "segmentation": uncompressed_rle(segmentation, size)}
    if annotation["id"] % _COMPRESSED == 0:
        return {**annotation, "segmentation": segmentation_to_rle(segmentation, size)}
    return annotation


def uncompressed_rle(segmentation: Segmentation, size: tuple[int, int]) -> Json:
    """Return a mask as plain run lengths: background and object in turn, down the columns."""
    pixels = decode_masks([segmentation_to_rle(segmentation, size)])[0].T.flatten().numpy()
    edges = np.flatnonzero(np.diff(pixels, prepend=False))
    counts = np.diff(np.concatenate([[0], edges, [pixels.size]]))
    return {"size": list(size), "counts": counts.tolist()}
