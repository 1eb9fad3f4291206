"""transformers' key layout of BERT, as `bert-base-uncased` and its descendants are published.

A pretraining stores the encoder below `bert.`, with its own heads beside it; others, as
sentence-transformers, the encoder alone. The oldest files name a norm's weights gamma and beta.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from torch import nn

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict

NAME = "BERT"
_PREFIX = "bert."
_PART = "text_encoder."  # how a model that has the text encoder as a part names it
_TOKENS, _QUERY = "embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"
# The pooler and the heads of the pretraining, and a table of 0, 1, 2, ...
_UNUSED = re.compile(r"pooler\..*|cls\..*|embeddings\.position_ids")
_LAYER = re.compile(r"encoder\.layer\.(\d+)\..*")
_OLD_NORMS = ((".LayerNorm.gamma", ".LayerNorm.weight"), (".LayerNorm.beta", ".LayerNorm.bias"))


def matches(keys: Collection[str]) -> bool:
    """Whether the keys are those of a BERT by itself."""
    return any({prefix + _TOKENS, prefix + _QUERY} <= set(keys) for prefix in ("", _PREFIX))


def to_ours(state: StateDict, model: nn.Module | None = None) -> StateDict:
    """Rename the weights of the encoder; the pooler and heads of the pretraining are left out.

    Args:
        state: Published keys.
        model: A `BertTextEncoder`, or a model that has it as `text_encoder`: names are those in it,
            and layers that it does not have are left out. None names a `BertTextEncoder`.
    """
    encoder: Any = getattr(model, "text_encoder", model)
    depth = None if encoder is None else len(encoder.bert.encoder.layer)
    prefix = _PREFIX if encoder is model else _PART + _PREFIX
    ours = {}
    for key, value in state.items():
        name = key.removeprefix(_PREFIX)
        layer = _LAYER.fullmatch(name)
        is_beyond = layer is not None and depth is not None and int(layer[1]) >= depth
        if not is_beyond and not _UNUSED.fullmatch(name):
            for old, new in _OLD_NORMS:
                name = name.replace(old, new)
            ours[prefix + name] = value
    return ours


def to_published(state: StateDict, model: nn.Module | None = None) -> StateDict:
    """Return the state dict of a `BertTextEncoder`, whose names are the published ones."""
    return dict(state)


LAYOUT = Layout(NAME, matches, to_ours, matches, to_published)
