"""The generated world "shapes": scenes, expressions about them, and the files that hold both."""

from vgtoolbox.shapes.scales import SCALES, SPLITS, ShapesScale
from vgtoolbox.shapes.world import WorldSpec, prepare_world

__all__ = ["SCALES", "SPLITS", "ShapesScale", "WorldSpec", "prepare_world"]
