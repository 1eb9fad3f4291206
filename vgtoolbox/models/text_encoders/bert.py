"""BERT (Devlin et al., NAACL 2019), as transformers has it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import BertConfig, BertModel

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class BertTextEncoder(nn.Module):
    """Tokens to the last layer's states; no pooler. The sizes are those of `bert-base-uncased`.

    Args:
        vocab_size: Rows of the token table.
        embed_dim: C.
        num_layers: Number of blocks; fewer than pretrained weights have uses their first ones.
        num_heads: Attention heads.
        ffn_dim: Hidden width of the feed-forward networks.
        max_positions: Rows of the position table.
        dropout: Of states and attention weights.
        init_std: Of all weights that are drawn.
        pretrained: A name on the Hugging Face hub, or a folder with `config.json` and weights, read
            by `init_weights`, with which every training begins. `PretrainedWeightsHook` reads a
            single file, and leaves it alone where the training resumes.
    """

    def __init__(
        self,
        *,
        vocab_size: int = 30522,
        embed_dim: int = 768,
        num_layers: int = 12,
        num_heads: int = 12,
        ffn_dim: int = 3072,
        max_positions: int = 512,
        dropout: float = 0.1,
        init_std: float = 0.02,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=vocab_size,
            hidden_size=embed_dim,
            num_hidden_layers=num_layers,
            num_attention_heads=num_heads,
            intermediate_size=ffn_dim,
            max_position_embeddings=max_positions,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            initializer_range=init_std,
        )
        self.embed_dim = embed_dim
        self.max_positions = max_positions
        self.pretrained = pretrained
        self.bert = BertModel(config, add_pooling_layer=False)

    def forward(self, token_ids: Tensor, text_padding_mask: Tensor) -> Tensor:
        """Return the states (B, T, C) of tokens (B, T); padding (B, T) bool, True = padding."""
        if token_ids.shape[1] > self.max_positions:
            raise ValueError(
                f"{token_ids.shape[1]} text tokens, but the position table holds "
                f"{self.max_positions}; lower max_tokens of TokenizeExpression"
            )
        # BERT counts what is there, 1, rather than what is padding.
        present = (~text_padding_mask).long()
        return self.bert(input_ids=token_ids, attention_mask=present).last_hidden_state

    def init_weights(self) -> None:
        """Load the pretrained weights, where they are named.

        Raises:
            ValueError: They do not fill this model; nothing was loaded.
        """
        if self.pretrained is None:
            return
        # With the report asked for it returns a pair, which its annotation does not say.
        pair: Any = BertModel.from_pretrained(
            self.pretrained, add_pooling_layer=False, output_loading_info=True
        )
        loaded, report = pair
        state, own = loaded.state_dict(), self.bert.state_dict()
        missing = [key for key in own if key not in state or key in report["missing_keys"]]
        shapes = [key for key in own if key in state and state[key].shape != own[key].shape]
        if missing or shapes:
            raise ValueError(
                f"the BERT weights of {self.pretrained} do not fill this text encoder: missing "
                f"{missing[:5]}, of another shape {shapes[:5]}; give vocab_size, embed_dim, "
                "num_layers, ... the values of its config.json"
            )
        self.bert.load_state_dict({key: state[key] for key in own})
