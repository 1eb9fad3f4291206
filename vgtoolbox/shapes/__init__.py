"""Generated dataset "shapes": scenes, expressions about them, and their annotation files."""

from vgtoolbox.shapes.scales import SCALES, SPLITS, ShapesScale
from vgtoolbox.shapes.world import WorldSpec, prepare_world

__all__ = ["SCALES", "SPLITS", "ShapesScale", "WorldSpec", "prepare_world"]
