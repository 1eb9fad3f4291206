"""Grounders: the published systems, one file per system with only what its paper adds."""

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.grounders.instancevg import InstanceVG, InstanceVGOutput
from vgtoolbox.models.grounders.lisa import LISA
from vgtoolbox.models.grounders.mllmseg import MLLMSeg, MLLMSegOutput
from vgtoolbox.models.grounders.plvl import PLVL, PLVLOutput
from vgtoolbox.models.grounders.read import READ
from vgtoolbox.models.grounders.sam_token_grounder import SAMTokenGrounder, SAMTokenOutput
from vgtoolbox.models.grounders.token_grounder import EncodedImages, TokenGrounder
from vgtoolbox.models.grounders.uground import UGround

__all__ = [
    "LISA",
    "PLVL",
    "READ",
    "BaseGrounder",
    "EncodedImages",
    "InstanceVG",
    "InstanceVGOutput",
    "MLLMSeg",
    "MLLMSegOutput",
    "PLVLOutput",
    "SAMTokenGrounder",
    "SAMTokenOutput",
    "TokenGrounder",
    "UGround",
]
