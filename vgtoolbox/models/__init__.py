"""Models: the published systems, and the parts from which configs compose them."""

from vgtoolbox.models import (
    backbones,
    decoders,
    grounders,
    heads,
    layers,
    losses,
    matchers,
    mllm,
    necks,
    postprocessors,
    prompt_encoders,
    text_encoders,
)
from vgtoolbox.models.data_preprocessor import GroundingDataPreprocessor

__all__ = [
    "GroundingDataPreprocessor",
    "backbones",
    "decoders",
    "grounders",
    "heads",
    "layers",
    "losses",
    "matchers",
    "mllm",
    "necks",
    "postprocessors",
    "prompt_encoders",
    "text_encoders",
]
