"""The oddities of the real files, spread over a twin by position: each appears in any world.

Sentences shouted, typed with typographic characters or said twice; masks as polygons, compressed
run lengths, and the uncompressed ones that COCO keeps for crowds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from vgtoolbox.datasets.shapes.formats.tables import Json, WorldTables
from vgtoolbox.structures import decode_masks, segmentation_to_rle

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


def odd_instances(tables: WorldTables) -> Json:
    """Return `instances.json` with its masks in all the forms that COCO has."""
    return {
        "info": {"description": "vgtoolbox shapes"},
        "images": list(tables.images.values()),
        "annotations": [odd_annotation(item, tables) for item in tables.annotations.values()],
        "categories": tables.categories,
    }


def odd_annotation(annotation: Json, tables: WorldTables) -> Json:
    """Return the annotation with its mask as polygons, RLE, or a crowd's uncompressed RLE."""
    if annotation["id"] % _CROWD == 0:
        return {**annotation, "iscrowd": 1, "segmentation": uncompressed_rle(annotation, tables)}
    if annotation["id"] % _COMPRESSED == 0:
        size = tables.size(annotation["image_id"])
        return {**annotation, "segmentation": segmentation_to_rle(annotation["segmentation"], size)}
    return annotation


def uncompressed_rle(annotation: Json, tables: WorldTables) -> Json:
    """Return the mask as plain run lengths: background and object in turn, down the columns."""
    size = tables.size(annotation["image_id"])
    rle = segmentation_to_rle(annotation["segmentation"], size)
    pixels = decode_masks([rle])[0].T.flatten().numpy()
    edges = np.flatnonzero(np.diff(pixels, prepend=False))
    counts = np.diff(np.concatenate([[0], edges, [pixels.size]]))
    return {"size": list(size), "counts": counts.tolist()}
