"""Grounders: the published systems, one file per system with only what its paper adds."""

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.grounders.instancevg import InstanceVG, InstanceVGOutput
from vgtoolbox.models.grounders.mllmseg import MLLMSeg, MLLMSegOutput
from vgtoolbox.models.grounders.plvl import PLVL, PLVLOutput

__all__ = [
    "PLVL",
    "BaseGrounder",
    "InstanceVG",
    "InstanceVGOutput",
    "MLLMSeg",
    "MLLMSegOutput",
    "PLVLOutput",
]
