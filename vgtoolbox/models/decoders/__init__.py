"""Decoders: from features to queries, and from pyramids to maps."""

from vgtoolbox.models.decoders.instance_query_decoder import DecodedQueries, InstanceQueryDecoder
from vgtoolbox.models.decoders.query_selector import AttentionQuerySelector, SelectedQueries
from vgtoolbox.models.decoders.unet_decoder import UNetDecoder

__all__ = [
    "AttentionQuerySelector",
    "DecodedQueries",
    "InstanceQueryDecoder",
    "SelectedQueries",
    "UNetDecoder",
]
