"""Building blocks: attention, position encodings, upsampling; one concept per file."""

from vgtoolbox.models.layers.constant_cache import ConstantCache
from vgtoolbox.models.layers.cosine_patch_basis import cosine_patch_basis
from vgtoolbox.models.layers.deformable_attention import MultiScaleDeformableAttention
from vgtoolbox.models.layers.dysample import DySample
from vgtoolbox.models.layers.inverse_sigmoid import inverse_sigmoid
from vgtoolbox.models.layers.multiway import Multiway
from vgtoolbox.models.layers.position_encoding import sine_position_encoding
from vgtoolbox.models.layers.post_norm import PostNormFeedForward, PostNormSelfAttention
from vgtoolbox.models.layers.relative_position import DecomposedRelativePosition
from vgtoolbox.models.layers.split_decoder_layer import SplitDecoderLayer
from vgtoolbox.models.layers.text_injector import TextInjector
from vgtoolbox.models.layers.windows import join_windows, split_windows

__all__ = [
    "ConstantCache",
    "DecomposedRelativePosition",
    "DySample",
    "MultiScaleDeformableAttention",
    "Multiway",
    "PostNormFeedForward",
    "PostNormSelfAttention",
    "SplitDecoderLayer",
    "TextInjector",
    "cosine_patch_basis",
    "inverse_sigmoid",
    "join_windows",
    "sine_position_encoding",
    "split_windows",
]
