"""Necks: turn backbone features into feature pyramids or fused maps."""

from vgtoolbox.models.necks.detail_semantic_fusion import DetailSemanticFusion
from vgtoolbox.models.necks.simple_fpn import SimpleFPN

__all__ = [
    "DetailSemanticFusion",
    "SimpleFPN",
]
