"""Inference: the inferencer and its results."""

from vgtoolbox.inference.attention import attention_maps
from vgtoolbox.inference.chat_session import GroundingChat
from vgtoolbox.inference.inferencer import GroundingInferencer
from vgtoolbox.inference.results.naming import safe_name
from vgtoolbox.inference.results.result import GroundingResult
from vgtoolbox.inference.results.saving import coco_dataset, save_formats, save_result
from vgtoolbox.inference.results.target import Target

__all__ = [
    "GroundingChat",
    "GroundingInferencer",
    "GroundingResult",
    "Target",
    "attention_maps",
    "coco_dataset",
    "safe_name",
    "save_formats",
    "save_result",
]
