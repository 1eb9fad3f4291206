"""Decoders: select and decode instance queries, and decode features into maps or masks."""

from vgtoolbox.models.decoders.instance_query_decoder import DecodedQueries, InstanceQueryDecoder
from vgtoolbox.models.decoders.query_selector import AttentionQuerySelector, SelectedQueries
from vgtoolbox.models.decoders.sam_mask_decoder import SAMMaskDecoder
from vgtoolbox.models.decoders.token_mask_decoder import TokenMaskDecoder
from vgtoolbox.models.decoders.unet_decoder import UNetDecoder
from vgtoolbox.models.decoders.vision_language_decoder import VisionLanguageDecoder

__all__ = [
    "AttentionQuerySelector",
    "DecodedQueries",
    "InstanceQueryDecoder",
    "SAMMaskDecoder",
    "SelectedQueries",
    "TokenMaskDecoder",
    "UNetDecoder",
    "VisionLanguageDecoder",
]
