"""Difficulty levels of the generated dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from vgtoolbox.shapes.attributes import COLORS, SHAPES, TEXTURES

SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class ShapesScale:
    """Difficulty of scenes and expressions.

    Args:
        image_sizes: Sizes (H, W) in pixels to choose from.
        num_objects: Smallest and largest number of objects in a scene.
        shapes: Shape words in use.
        colors: Color words in use.
        textures: Texture words in use.
        diameters: Size word -> range of the side of the bounding box, relative to sqrt(H * W).
        attribute_variety: Largest number of distinct values of an attribute in one scene. A low
            number makes objects share attributes, which creates distractors.
        max_box_overlap: Largest intersection of two full boxes, relative to the smaller box.
        min_visible: Lowest visible share of the full mask of an object.
        background_contrast: Contrast of the background: 0 is plain, 1 the strongest texture.
        lighting: Strength of the lighting gradient over the whole image, 0..1.
        max_rotation: Largest rotation of an object in degrees, in either direction.
        families: Expression family -> weight.
        nesting: Probability that a phrase gets one more modifier.
        synonyms: Largest number of words for one meaning. If `None`, all of them are used.
        expressions_per_scene: Number of sentences sampled for the gRefCOCO annotation.
        num_scenes: Number of scenes in train, val and test.
    """

    image_sizes: tuple[tuple[int, int], ...]
    num_objects: tuple[int, int]
    shapes: tuple[str, ...]
    colors: tuple[str, ...]
    textures: tuple[str, ...]
    diameters: Mapping[str, tuple[float, float]]
    attribute_variety: int
    max_box_overlap: float
    min_visible: float
    background_contrast: float
    lighting: float
    max_rotation: float
    families: Mapping[str, float]
    nesting: float
    synonyms: int | None
    expressions_per_scene: int
    num_scenes: tuple[int, int, int]

    def values(self, attribute: str) -> tuple[str, ...]:
        """Return the words of `attribute` at this scale."""
        return {
            "shape": self.shapes,
            "color": self.colors,
            "texture": self.textures,
            "size": tuple(self.diameters),
        }[attribute]


SCALES: Final[Mapping[str, ShapesScale]] = MappingProxyType(
    {
        "tiny": ShapesScale(
            image_sizes=((96, 104), (104, 96), (100, 100)),
            num_objects=(2, 3),
            shapes=("circle", "triangle", "cross"),
            colors=tuple(COLORS)[:6],
            textures=TEXTURES[:1],
            diameters={"small": (0.26, 0.29), "big": (0.40, 0.44)},
            attribute_variety=2,
            max_box_overlap=0.04,
            min_visible=0.85,
            background_contrast=0.1,
            lighting=0.1,
            max_rotation=5.0,
            families={
                "attribute": 0.44,
                "region": 0.12,
                "extreme": 0.11,
                "extent": 0.06,
                "ordinal": 0.04,
                "relation": 0.08,
                "nearest": 0.02,
                "comparative": 0.02,
                "count": 0.04,
                "negation": 0.04,
                "union": 0.03,
            },
            nesting=0.0,
            synonyms=1,
            expressions_per_scene=9,
            num_scenes=(4200, 300, 600),
        ),
        "small": ShapesScale(
            image_sizes=((192, 256), (256, 192), (224, 224), (200, 240), (240, 200)),
            num_objects=(3, 8),
            shapes=SHAPES[:7],
            colors=tuple(COLORS)[:7],
            textures=TEXTURES[:2],
            diameters={"small": (0.13, 0.155), "big": (0.22, 0.27)},
            attribute_variety=3,
            max_box_overlap=0.15,
            min_visible=0.6,
            background_contrast=0.5,
            lighting=0.4,
            max_rotation=15.0,
            families={
                "attribute": 0.18,
                "region": 0.12,
                "extreme": 0.11,
                "extent": 0.07,
                "ordinal": 0.09,
                "relation": 0.16,
                "nearest": 0.05,
                "comparative": 0.05,
                "count": 0.05,
                "negation": 0.06,
                "union": 0.06,
            },
            nesting=0.2,
            synonyms=None,
            expressions_per_scene=10,
            num_scenes=(8000, 400, 800),
        ),
        "large": ShapesScale(
            image_sizes=((480, 640), (640, 480), (512, 512), (427, 640), (640, 427), (480, 560)),
            num_objects=(5, 12),
            shapes=SHAPES,
            colors=tuple(COLORS),
            textures=TEXTURES,
            diameters={"small": (0.08, 0.095), "medium": (0.13, 0.155), "big": (0.21, 0.26)},
            attribute_variety=4,
            max_box_overlap=0.4,
            min_visible=0.4,
            background_contrast=1.0,
            lighting=0.7,
            max_rotation=18.0,
            families={
                "attribute": 0.10,
                "region": 0.10,
                "extreme": 0.10,
                "extent": 0.07,
                "ordinal": 0.11,
                "relation": 0.22,
                "nearest": 0.07,
                "comparative": 0.06,
                "count": 0.05,
                "negation": 0.06,
                "union": 0.06,
            },
            nesting=0.45,
            synonyms=None,
            expressions_per_scene=12,
            num_scenes=(20000, 1000, 2000),
        ),
    }
)
