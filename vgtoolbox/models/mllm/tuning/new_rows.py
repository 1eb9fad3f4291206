"""Trainable embedding rows for tokens that are added to a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _NewRows(nn.Module):
    """Matrix (V, H) whose last rows are trained while the others are frozen.

    A state dict has one `weight`, like that of the replaced module.

    Args:
        weight: Matrix (V, H).
        num_new: Number of last rows that are trained.

    Raises:
        ValueError: `num_new` is not between 1 and V - 1.
    """

    def __init__(self, weight: Tensor, num_new: int) -> None:
        super().__init__()
        if not 0 < num_new < len(weight):
            raise ValueError(f"num_new must be between 1 and {len(weight) - 1}, got {num_new}")
        self.old = nn.Parameter(weight[:-num_new].detach().clone(), requires_grad=False)
        self.new = nn.Parameter(weight[-num_new:].detach().clone())

    @property
    def weight(self) -> Tensor:
        """Whole matrix (V, H)."""
        return torch.cat([self.old, self.new])

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        weight = self.weight
        destination[prefix + "weight"] = weight if keep_vars else weight.detach()

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        weight = state_dict.get(prefix + "weight")
        parts = dict(state_dict)
        if weight is not None:
            del parts[prefix + "weight"]
            parts[prefix + "old"] = weight[: len(self.old)]
            parts[prefix + "new"] = weight[len(self.old) :]
        super()._load_from_state_dict(parts, prefix, *args, **kwargs)


class NewRowsEmbedding(_NewRows):
    """Embedding that trains its last rows."""

    def forward(self, token_ids: Tensor) -> Tensor:
        """Return embeddings (..., H) of ids (...)."""
        is_new = token_ids >= len(self.old)
        old = F.embedding(token_ids.masked_fill(is_new, 0), self.old)
        new = F.embedding((token_ids - len(self.old)).masked_fill(~is_new, 0), self.new)
        return torch.where(is_new[..., None], new.to(old.dtype), old)


class NewRowsLinear(_NewRows):
    """Linear layer without bias that trains its last rows."""

    def forward(self, states: Tensor) -> Tensor:
        """Return logits (..., V) of states (..., H)."""
        new = self.new.to(self.old.dtype)  # trained rows are in single precision, others in half
        return torch.cat([F.linear(states, self.old), F.linear(states, new)], -1)


def train_new_rows(model: Any, num_new: int) -> None:
    """Make the last rows of a model's input and output embeddings trainable.

    Args:
        model: Model of transformers with untied embeddings.
        num_new: Number of rows.
    """
    model.set_input_embeddings(NewRowsEmbedding(model.get_input_embeddings().weight, num_new))
    model.set_output_embeddings(NewRowsLinear(model.get_output_embeddings().weight, num_new))


def extend_rows(weight: Tensor, num_rows: int, *, output: bool, std: float = 0.02) -> Tensor:
    """Append rows to an embedding matrix (V, H), up to `num_rows`.

    Args:
        weight: Matrix without the rows of added tokens.
        num_rows: Number V of rows, including those of added tokens.
        output: Whether the matrix is that of the output, whose new rows are the mean of the old
            ones, so that a new token is as likely as an average one. New rows of an input matrix
            are drawn at random.
        std: Standard deviation of random rows.

    Raises:
        ValueError: The matrix has more than `num_rows` rows.
    """
    missing = num_rows - len(weight)
    if missing < 0:
        raise ValueError(
            f"an embedding must have at most {num_rows} rows, got {len(weight)}; increase "
            "vocab_size in the config of the language model"
        )
    if missing == 0:
        return weight
    if output:
        new = weight.float().mean(0, keepdim=True).expand(missing, -1).to(weight.dtype)
    else:
        new = torch.randn(missing, weight.shape[1]).mul_(std).to(weight.dtype)
    return torch.cat([weight, new])
