"""Say which keys an annotation has, and how to map them to the keys of a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

_SHOWN = 20

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "image": (
            "filename",
            "file_name",
            "image_path",
            "img_path",
            "image_file",
            "image_name",
            "imagePath",
            "img",
            "path",
            "file",
        ),
        "expression": (
            "expressions",
            "caption",
            "captions",
            "phrase",
            "phrases",
            "sentence",
            "sentences",
            "referring_expression",
            "ref",
            "text",
            "query",
            "question",
            "sent",
            "raw",
        ),
        "boxes": ("bbox", "bboxes", "box", "gt_boxes", "gt_bbox"),
        "masks": ("mask", "segmentation", "segmentations", "polygon", "polygons", "rle", "rles"),
        "split": ("subset", "set"),
    }
)
"""Key of a line -> other names of it in exports."""

_NO_DESCRIPTIONS = frozenset(
    {"id", "image_id", "file_name", "split", "date_captured", "coco_url", "flickr_url", "license"}
)
_LAYOUTS = (
    (
        {"filename", "grounding"},
        "this is a line of Grounding DINO (ODVG): write one line per region, with the image from "
        "'filename', the expression from its 'phrase' and the boxes from its 'bbox'",
    ),
    (
        {"filename", "detection"},
        "this is a line of Grounding DINO (ODVG) for detection, which has categories but no "
        "expressions: write one line per expression, with 'image', 'expression' and 'boxes'",
    ),
    (
        {"messages"},
        "this is a conversation, as swift and Qwen write them: write one line per object, with "
        "the image from 'images', the expression from objects['ref'] and the boxes from "
        "objects['bbox']",
    ),
    (
        {"conversations"},
        "this is a conversation, as LLaVA writes them: write one line per expression, with "
        "'image', 'expression' and 'boxes'",
    ),
)


def explain_line_keys(entry: Mapping[str, Any], missing: str, keys: Mapping[str, str]) -> str:
    """Return the keys of a line without a required key, and the next step.

    Args:
        entry: Line as it is in the file.
        missing: Required key of the reader that the line lacks.
        keys: Argument `keys` of the reader.
    """
    name = keys.get(missing, missing)
    renamed = "" if name == missing else f" ({missing!r} of the reader)"
    start = f"the key {name!r}{renamed} is missing; existing keys: {_listed(entry)}; "
    known = next((f"{hint}; else " for marks, hint in _LAYOUTS if marks <= set(entry)), "")
    mapped = {missing: "NAME", **keys, **suggested_keys(entry, keys)}
    return f"{start}{known}map names with keys={mapped}"


def suggested_keys(entry: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, str]:
    """Return a mapping from keys that a line lacks to other names of them that it has."""
    lacking = [key for key in SYNONYMS if keys.get(key, key) not in entry]
    used = set(keys.values())
    found = {
        key: next((name for name in SYNONYMS[key] if name in entry and name not in used), None)
        for key in lacking
    }
    return {key: name for key, name in found.items() if name is not None}


def text_keys(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the keys whose values are texts, or lists of texts, in the order of appearance.

    Keys of COCO whose texts describe nothing, such as `file_name`, are left out.
    """
    found: dict[str, None] = {}
    for entry in entries:
        for key, value in entry.items():
            if key not in found and key not in _NO_DESCRIPTIONS and _is_text(value):
                found[key] = None
    return list(found)


def _is_text(value: Any) -> bool:
    items = value if isinstance(value, list) and value else [value]
    return all(isinstance(item, str) for item in items)


def _listed(entry: Mapping[str, Any]) -> str:
    names = [str(key)[:60] for key in entry]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more
