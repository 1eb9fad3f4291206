"""Building blocks; one concept a file."""

from vgtoolbox.models.layers.deformable_attention import MultiScaleDeformableAttention
from vgtoolbox.models.layers.inverse_sigmoid import inverse_sigmoid
from vgtoolbox.models.layers.multiway import Multiway
from vgtoolbox.models.layers.position_encoding import sine_position_encoding
from vgtoolbox.models.layers.post_norm import PostNormFeedForward, PostNormSelfAttention

__all__ = [
    "MultiScaleDeformableAttention",
    "Multiway",
    "PostNormFeedForward",
    "PostNormSelfAttention",
    "inverse_sigmoid",
    "sine_position_encoding",
]
