"""Asking a model: the inferencer, and the schema of what it answers."""

from vgtoolbox.inference.attention import attention_maps
from vgtoolbox.inference.chat_session import GroundingChat
from vgtoolbox.inference.inferencer import GroundingInferencer
from vgtoolbox.inference.results.exporters import coco_dataset
from vgtoolbox.inference.results.naming import safe_name
from vgtoolbox.inference.results.saving import save_formats, save_result
from vgtoolbox.inference.results.schemas import GroundingResult

__all__ = [
    "GroundingChat",
    "GroundingInferencer",
    "GroundingResult",
    "attention_maps",
    "coco_dataset",
    "safe_name",
    "save_formats",
    "save_result",
]
