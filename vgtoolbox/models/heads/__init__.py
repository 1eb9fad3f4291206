"""Heads: forward, loss, predict; no data access."""

from vgtoolbox.models.heads.center_head import CenterHead, CenterMaps
from vgtoolbox.models.heads.existence import ExistenceHead
from vgtoolbox.models.heads.mask import QueryMaskHead, SemanticMaskHead
from vgtoolbox.models.heads.patch_mask_head import PatchMaskHead
from vgtoolbox.models.heads.query_box import QueryBoxHead

__all__ = [
    "CenterHead",
    "CenterMaps",
    "ExistenceHead",
    "PatchMaskHead",
    "QueryBoxHead",
    "QueryMaskHead",
    "SemanticMaskHead",
]
