"""Grounders: the published systems, one file per system with only what its paper adds."""

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.grounders.instancevg import InstanceVG, InstanceVGOutput
from vgtoolbox.models.grounders.mllmseg import MLLMSeg, MLLMSegOutput
from vgtoolbox.models.grounders.plvl import PLVL, PLVLOutput
from vgtoolbox.models.grounders.token_grounder import EncodedImages, TokenGrounder

__all__ = [
    "PLVL",
    "BaseGrounder",
    "EncodedImages",
    "InstanceVG",
    "InstanceVGOutput",
    "MLLMSeg",
    "MLLMSegOutput",
    "PLVLOutput",
    "TokenGrounder",
]
