"""Scenes: objects with their attributes and positions, before rendering and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vgtoolbox.shapes.attributes import FILE_KEYS
from vgtoolbox.shapes.scales import ShapesScale

_PLACEMENT_TRIES = 30


class ScenePlacementError(RuntimeError):
    """No layout within the limits of the scale was found."""


@dataclass(frozen=True, kw_only=True)
class ObjectLayout:
    """Object to render; `center_xy` and `diameter` in pixels, `angle` in degrees."""

    shape: str
    color: str
    size: str
    texture: str
    center_xy: tuple[float, float]
    diameter: float
    angle: float


@dataclass(frozen=True, kw_only=True)
class SceneObject:
    """Rendered object: its attributes, and the geometry of its mask in pixels.

    Args:
        shape: Shape word.
        color: Color word.
        size: Size word.
        texture: Texture word.
        box_xywh: Bounding box of the visible mask.
        visible_area: Area of the visible mask.
        full_area: Area of the mask without occlusion.
    """

    shape: str
    color: str
    size: str
    texture: str
    box_xywh: tuple[int, int, int, int]
    visible_area: int
    full_area: int

    @property
    def center_xy(self) -> tuple[float, float]:
        """Return the center of the visible box."""
        x, y, w, h = self.box_xywh
        return x + w / 2, y + h / 2


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Rendered scene that expressions are evaluated in."""

    height: int
    width: int
    objects: tuple[SceneObject, ...]


@dataclass(frozen=True, kw_only=True)
class SceneLayout:
    """Scene to render; later objects cover earlier ones."""

    height: int
    width: int
    objects: tuple[ObjectLayout, ...]


def serialize_scene(scene: Scene) -> dict[str, Any]:
    """Return `scene` as nested plain values for JSON."""
    record = asdict(scene)
    objects = [
        {FILE_KEYS.get(name, name): value for name, value in item.items()}
        for item in record["objects"]
    ]
    return {**record, "objects": objects}


def parse_scene(record: Mapping[str, Any]) -> Scene:
    """Return the scene of a record that `serialize_scene` wrote; other keys are ignored."""
    names = {key: name for name, key in FILE_KEYS.items()}
    objects = []
    for item in record["objects"]:
        values = {names.get(key, key): value for key, value in item.items()}
        objects.append(SceneObject(**{**values, "box_xywh": tuple(values["box_xywh"])}))
    return Scene(height=record["height"], width=record["width"], objects=tuple(objects))


def sample_layout(rng: np.random.Generator, scale: ShapesScale) -> SceneLayout:
    """Sample a layout whose objects share attributes and do not overlap more than allowed.

    Raises:
        ScenePlacementError: The objects do not fit into the image.
    """
    height, width = scale.image_sizes[rng.integers(len(scale.image_sizes))]
    for _ in range(_PLACEMENT_TRIES):
        count = int(rng.integers(scale.num_objects[0], scale.num_objects[1] + 1))
        objects = _place_objects(rng, scale, count=count, height=height, width=width)
        if objects is not None:
            return SceneLayout(height=height, width=width, objects=objects)
    raise ScenePlacementError(
        f"{scale.num_objects} objects of {dict(scale.diameters)} do not fit into a "
        f"{height}x{width} image; lower `num_objects` or `diameters`"
    )


def _place_objects(
    rng: np.random.Generator, scale: ShapesScale, *, count: int, height: int, width: int
) -> tuple[ObjectLayout, ...] | None:
    palette = {name: _sub_palette(rng, scale, name) for name in ("shape", "color", "texture")}
    sizes = scale.values("size")
    unit = float(np.sqrt(height * width))
    placed: list[ObjectLayout] = []
    for _ in range(count):
        words = {name: str(rng.choice(values)) for name, values in palette.items()}
        size = str(rng.choice(sizes))
        diameter = float(rng.uniform(*scale.diameters[size])) * unit
        angle = float(rng.uniform(-scale.max_rotation, scale.max_rotation))
        for _ in range(_PLACEMENT_TRIES):
            center = _random_center(rng, diameter, height=height, width=width)
            if all(_overlap(center, diameter, other) <= scale.max_box_overlap for other in placed):
                break
        else:
            return None
        placed.append(
            ObjectLayout(**words, size=size, center_xy=center, diameter=diameter, angle=angle)
        )
    return tuple(placed)


def _sub_palette(rng: np.random.Generator, scale: ShapesScale, attribute: str) -> list[str]:
    values = scale.values(attribute)
    most = min(scale.attribute_variety, len(values))
    chosen = rng.choice(values, size=int(rng.integers(min(2, most), most + 1)), replace=False)
    return [str(value) for value in chosen]


def _random_center(
    rng: np.random.Generator, diameter: float, *, height: int, width: int
) -> tuple[float, float]:
    # A rotated square extends beyond half its side; 0.6 keeps every shape inside the image.
    reach = 0.6 * diameter + 1
    return float(rng.uniform(reach, width - reach)), float(rng.uniform(reach, height - reach))


def _overlap(center: tuple[float, float], diameter: float, other: ObjectLayout) -> float:
    """Return the intersection of two full boxes, divided by the area of the smaller box."""
    reach = (diameter + other.diameter) / 2
    smaller = min(diameter, other.diameter)
    sides = [
        min(max(reach - abs(a - b), 0.0), smaller)
        for a, b in zip(center, other.center_xy, strict=True)
    ]
    return sides[0] * sides[1] / smaller**2
