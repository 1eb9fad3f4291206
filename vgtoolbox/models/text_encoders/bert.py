"""BERT text encoder (Devlin et al., NAACL 2019), from transformers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import BertConfig, BertModel

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class BertTextEncoder(nn.Module):
    """BERT without a pooler. The default sizes are those of `bert-base-uncased`.

    Args:
        vocab_size: Rows of the token table.
        embed_dim: Channels C.
        num_layers: Number of blocks. If pretrained weights have more, the first ones are used.
        num_heads: Number of attention heads.
        ffn_dim: Hidden channels of the feed-forward networks.
        max_positions: Rows of the position table.
        dropout: Dropout rate of states and attention weights.
        init_std: Standard deviation of the initial weights.
        pretrained: Name on the Hugging Face Hub, or folder with `config.json` and weights, loaded
            by `init_weights` at the start of every training. If `None`, no weights are loaded.
            Alternatively, `PretrainedWeightsHook` loads a single file, and only if the training
            does not resume.
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
        """Return the states of the last layer, (B, T, C).

        Args:
            token_ids: Token ids (B, T).
            text_padding_mask: Padding mask (B, T) bool, True = padding.

        Raises:
            ValueError: There are more tokens than positions.
        """
        if token_ids.shape[1] > self.max_positions:
            raise ValueError(
                f"text must have at most {self.max_positions} tokens for the position table, got "
                f"{token_ids.shape[1]}; lower max_tokens of TokenizeExpression or raise "
                "max_positions"
            )
        # In the attention mask of transformers, 1 marks tokens and 0 padding.
        attention_mask = (~text_padding_mask).long()  # (B, T)
        return self.bert(input_ids=token_ids, attention_mask=attention_mask).last_hidden_state

    def init_weights(self) -> None:
        """Load the pretrained weights if `pretrained` is set.

        Raises:
            ValueError: The weights do not match this model; nothing has been loaded.
        """
        if self.pretrained is None:
            return
        # With `output_loading_info` the method returns a pair, which its annotation does not state.
        pair: Any = BertModel.from_pretrained(
            self.pretrained, add_pooling_layer=False, output_loading_info=True
        )
        loaded, report = pair
        state, own = loaded.state_dict(), self.bert.state_dict()
        missing = [key for key in own if key not in state or key in report["missing_keys"]]
        shapes = [key for key in own if key in state and state[key].shape != own[key].shape]
        if missing or shapes:
            raise ValueError(
                f"the weights of {self.pretrained} must match this BERT, got {len(missing)} "
                f"missing weights {missing[:5]} and {len(shapes)} of another shape {shapes[:5]}; "
                "set vocab_size, embed_dim, num_layers, ... to the values of its config.json"
            )
        self.bert.load_state_dict({key: state[key] for key in own})
