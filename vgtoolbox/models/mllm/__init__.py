"""Multimodal language models: adapters over transformers' classes, and all that tokens need."""

from vgtoolbox.models.mllm.adapter import (
    ImageFeatures,
    LMStates,
    MultimodalAdapter,
    Placeholders,
)
from vgtoolbox.models.mllm.chat import (
    CHAT_TEMPLATES,
    IMAGE_MARK,
    ChatTemplate,
    ReferringPrompts,
    plain,
)
from vgtoolbox.models.mllm.internvl import InternVL
from vgtoolbox.models.mllm.mllm import MLLM
from vgtoolbox.models.mllm.packing import IGNORE, Encoded, PackedBatch, Row, share_prefix
from vgtoolbox.models.mllm.readout import (
    Readout,
    image_states,
    next_token_loss,
    states_at,
    states_predicting,
)

__all__ = [
    "CHAT_TEMPLATES",
    "IGNORE",
    "IMAGE_MARK",
    "MLLM",
    "ChatTemplate",
    "Encoded",
    "ImageFeatures",
    "InternVL",
    "LMStates",
    "MultimodalAdapter",
    "PackedBatch",
    "Placeholders",
    "Readout",
    "ReferringPrompts",
    "Row",
    "image_states",
    "next_token_loss",
    "plain",
    "share_prefix",
    "states_at",
    "states_predicting",
]
