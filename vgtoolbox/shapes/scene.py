"""Scenes: what stands where, before any pixel is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vgtoolbox.shapes.scales import ShapesScale

_PLACEMENT_TRIES = 30


class ScenePlacementError(RuntimeError):
    """No layout that obeys the scale's limits was found."""


@dataclass(frozen=True, kw_only=True)
class ObjectLayout:
    """One object as it will be drawn; `centre_xy` and `diameter` in pixels, `angle` in degrees."""

    shape: str
    colour: str
    size: str
    texture: str
    centre_xy: tuple[float, float]
    diameter: float
    angle: float


@dataclass(frozen=True, kw_only=True)
class SceneObject:
    """One object as it is seen: words and the geometry of its visible mask, in pixels."""

    shape: str
    colour: str
    size: str
    texture: str
    box_xywh: tuple[int, int, int, int]
    visible_area: int
    full_area: int

    @property
    def centre_xy(self) -> tuple[float, float]:
        """Return the centre of the visible box."""
        x, y, w, h = self.box_xywh
        return x + w / 2, y + h / 2


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The facts that expressions are evaluated against."""

    height: int
    width: int
    objects: tuple[SceneObject, ...]


@dataclass(frozen=True, kw_only=True)
class SceneLayout:
    """An image to draw; later objects cover earlier ones."""

    height: int
    width: int
    objects: tuple[ObjectLayout, ...]


def sample_layout(rng: np.random.Generator, scale: ShapesScale) -> SceneLayout:
    """Draw a layout whose objects share attributes and keep within the allowed overlap."""
    height, width = scale.image_sizes[rng.integers(len(scale.image_sizes))]
    for _ in range(_PLACEMENT_TRIES):
        count = int(rng.integers(scale.num_objects[0], scale.num_objects[1] + 1))
        objects = _place_objects(rng, scale, count=count, height=height, width=width)
        if objects is not None:
            return SceneLayout(height=height, width=width, objects=objects)
    raise ScenePlacementError(
        f"no room for {scale.num_objects} objects of {dict(scale.diameters)} in a "
        f"{height}x{width} image; lower `num_objects` or `diameters`"
    )


def _place_objects(
    rng: np.random.Generator, scale: ShapesScale, *, count: int, height: int, width: int
) -> tuple[ObjectLayout, ...] | None:
    palette = {name: _sub_palette(rng, scale, name) for name in ("shape", "colour", "texture")}
    sizes = scale.values("size")
    unit = float(np.sqrt(height * width))
    placed: list[ObjectLayout] = []
    for _ in range(count):
        words = {name: str(rng.choice(values)) for name, values in palette.items()}
        size = str(rng.choice(sizes))
        diameter = float(rng.uniform(*scale.diameters[size])) * unit
        angle = float(rng.uniform(-scale.max_rotation, scale.max_rotation))
        for _ in range(_PLACEMENT_TRIES):
            centre = _random_centre(rng, diameter, height=height, width=width)
            if all(_overlap(centre, diameter, other) <= scale.max_box_overlap for other in placed):
                break
        else:
            return None
        placed.append(
            ObjectLayout(**words, size=size, centre_xy=centre, diameter=diameter, angle=angle)
        )
    return tuple(placed)


def _sub_palette(rng: np.random.Generator, scale: ShapesScale, attribute: str) -> list[str]:
    values = scale.values(attribute)
    most = min(scale.attribute_variety, len(values))
    chosen = rng.choice(values, size=int(rng.integers(min(2, most), most + 1)), replace=False)
    return [str(value) for value in chosen]


def _random_centre(
    rng: np.random.Generator, diameter: float, *, height: int, width: int
) -> tuple[float, float]:
    # A turned square reaches further than its side / 2; 0.6 keeps every shape inside the image.
    reach = 0.6 * diameter + 1
    return float(rng.uniform(reach, width - reach)), float(rng.uniform(reach, height - reach))


def _overlap(centre: tuple[float, float], diameter: float, other: ObjectLayout) -> float:
    """Return the intersection of two full boxes over the smaller box."""
    reach = (diameter + other.diameter) / 2
    smaller = min(diameter, other.diameter)
    sides = [
        min(max(reach - abs(a - b), 0.0), smaller)
        for a, b in zip(centre, other.centre_xy, strict=True)
    ]
    return sides[0] * sides[1] / smaller**2
