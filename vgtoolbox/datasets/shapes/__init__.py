"""The generated world "shapes": scenes, expressions about them, and the files that hold both."""

from vgtoolbox.datasets.shapes.scales import SCALES, SPLITS, ShapesScale
from vgtoolbox.datasets.shapes.world import WorldSpec, prepare_world

__all__ = ["SCALES", "SPLITS", "ShapesScale", "WorldSpec", "prepare_world"]
