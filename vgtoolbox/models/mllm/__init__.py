"""Multimodal language models: adapters for transformers, packing, answers and tuning."""

from vgtoolbox.models.mllm.adapters.base import (
    ImageFeatures,
    LMStates,
    MultimodalAdapter,
    Placeholders,
)
from vgtoolbox.models.mllm.adapters.internvl import InternVL
from vgtoolbox.models.mllm.adapters.llava import LLaVA
from vgtoolbox.models.mllm.chat_template import CHAT_TEMPLATES, ChatTemplate
from vgtoolbox.models.mllm.model import MLLM
from vgtoolbox.models.mllm.packing import (
    IGNORE,
    BranchedSequence,
    PackedBatch,
    TokenSequence,
    share_prefix,
)
from vgtoolbox.models.mllm.token_states import (
    TokenStates,
    image_positions,
    image_states,
    next_token_loss,
    states_at,
    states_predicting,
)

__all__ = [
    "CHAT_TEMPLATES",
    "IGNORE",
    "MLLM",
    "BranchedSequence",
    "ChatTemplate",
    "ImageFeatures",
    "InternVL",
    "LLaVA",
    "LMStates",
    "MultimodalAdapter",
    "PackedBatch",
    "Placeholders",
    "TokenSequence",
    "TokenStates",
    "image_positions",
    "image_states",
    "next_token_loss",
    "share_prefix",
    "states_at",
    "states_predicting",
]
