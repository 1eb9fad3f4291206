"""Heads: predict classes, boxes, masks and existence from features, and compute their losses."""

from vgtoolbox.models.heads.center_head import CenterHead, CenterMaps
from vgtoolbox.models.heads.existence_head import ExistenceHead
from vgtoolbox.models.heads.layer_policy_head import LayerPolicyHead
from vgtoolbox.models.heads.mask_heads import QueryMaskHead, SemanticMaskHead
from vgtoolbox.models.heads.patch_mask_head import PatchMaskHead
from vgtoolbox.models.heads.query_box_head import QueryBoxHead

__all__ = [
    "CenterHead",
    "CenterMaps",
    "ExistenceHead",
    "LayerPolicyHead",
    "PatchMaskHead",
    "QueryBoxHead",
    "QueryMaskHead",
    "SemanticMaskHead",
]
