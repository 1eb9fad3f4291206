"""Postprocessors that convert raw outputs to predictions in the original image frame."""

from vgtoolbox.models.postprocessors.instance import InstancePostprocessor
from vgtoolbox.models.postprocessors.token_mask import TokenMaskPostprocessor

__all__ = ["InstancePostprocessor", "TokenMaskPostprocessor"]
