"""Attribute words and colors of the generated dataset."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

COLORS: Final = MappingProxyType(
    {
        "red": (222, 36, 36),
        "green": (36, 168, 60),
        "blue": (36, 72, 226),
        "yellow": (244, 216, 40),
        "purple": (160, 44, 200),
        "orange": (250, 130, 20),
        "white": (246, 246, 246),
        "black": (22, 22, 22),
        "cyan": (40, 208, 220),
        "pink": (250, 140, 190),
    }
)
"""RGB of each color word."""

SHAPES: Final = (
    "circle",
    "square",
    "triangle",
    "cross",
    "star",
    "diamond",
    "ring",
    "heart",
    "hexagon",
    "crescent",
)
SIZES: Final = ("small", "medium", "big")
TEXTURES: Final = ("solid", "striped", "dotted")
SIDES: Final = ("left", "right", "top", "bottom")
RELATIONS: Final = ("left of", "right of", "above", "below")
"""Relation words in the order of `SIDES`: `left of` means nearer to the left side."""

COMPARISONS: Final = ("bigger", "smaller")
EXTENTS: Final = ("biggest", "smallest")
ATTRIBUTE_NAMES: Final = ("size", "texture", "color", "shape")
"""Attributes of an object, in the order of adjectives and noun in English."""

FILE_KEYS: Final = MappingProxyType({"color": "colour"})  # prose: ok
"""Attribute -> its key in `scenes.jsonl` and `programs.jsonl`, if that is spelled differently."""
