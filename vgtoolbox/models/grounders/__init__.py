"""Grounders: one file a published system, only what its paper adds."""

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.grounders.instancevg import InstanceVG, InstanceVGOutput

__all__ = ["BaseGrounder", "InstanceVG", "InstanceVGOutput"]
