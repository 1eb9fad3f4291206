"""Heads: forward, loss, predict; no data access."""

from vgtoolbox.models.heads.existence import ExistenceHead
from vgtoolbox.models.heads.instance_postprocessor import InstancePostprocessor
from vgtoolbox.models.heads.mask import QueryMaskHead, SemanticMaskHead
from vgtoolbox.models.heads.query_box import QueryBoxHead

__all__ = [
    "ExistenceHead",
    "InstancePostprocessor",
    "QueryBoxHead",
    "QueryMaskHead",
    "SemanticMaskHead",
]
