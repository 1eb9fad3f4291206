"""Key layout of BERT in transformers, used by `bert-base-uncased` and its successors.

Pretraining checkpoints store the encoder below `bert.`, next to their heads; others, such as those
of sentence-transformers, store the encoder alone. The oldest files call the weights of a norm gamma
and beta.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict

NAME = "BERT"
_PREFIX = "bert."
_PART = "text_encoder."  # name of the text encoder in a model that has it as a part
_TOKENS, _QUERY = "embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"
# Pooler and heads of the pretraining, and a table of 0, 1, 2, ...
_UNUSED = re.compile(r"pooler\..*|cls\..*|embeddings\.position_ids")
_LAYER = re.compile(r"encoder\.layer\.(\d+)\..*")
_OLD_NORMS = ((".LayerNorm.gamma", ".LayerNorm.weight"), (".LayerNorm.beta", ".LayerNorm.bias"))


class BertLayout(Layout):
    """Layout of BERT in transformers."""

    name = NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a BERT alone."""
        return any({prefix + _TOKENS, prefix + _QUERY} <= set(keys) for prefix in ("", _PREFIX))

    def matches_ours(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a `BertTextEncoder`, which has the same names."""
        return self.matches(keys)

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename the weights of the encoder; pooler and heads of the pretraining are dropped.

        Args:
            state: State dict with published keys.
            model: `BertTextEncoder`, or a model with one as `text_encoder`. It determines the
                names, and layers that it does not have are dropped. If `None`, the names are those
                of a `BertTextEncoder`.
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

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Return the state dict of a `BertTextEncoder`, whose names are the published ones."""
        return dict(state)


LAYOUT = BertLayout()
