"""Asking a model: the inferencer, and the schema of what it answers."""

from vgtoolbox.inference.inferencer import GroundingInferencer
from vgtoolbox.inference.naming import safe_name
from vgtoolbox.inference.schemas import GroundingResult

__all__ = ["GroundingInferencer", "GroundingResult", "safe_name"]
