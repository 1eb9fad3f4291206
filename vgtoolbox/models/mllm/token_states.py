"""Selection of the hidden states that predict or have read a token.

The state of a causal model at position t has read the tokens up to t, and predicts the token at
t + 1. So the state that *predicts* a token is one position before it. It has not read the token,
and is therefore the same in training, in which the token is given, and in generation, in which it
does not exist yet. Only `states_predicting` implements this shift by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor
from torch.nn import functional as F

from vgtoolbox.models.mllm.packing import IGNORE, PackedBatch


@dataclass(frozen=True)
class TokenStates:
    """States at or before the N occurrences of some tokens, row by row, in order.

    Attributes:
        states: States (N, H).
        row: Row (N,) of the batch.
        position: Index (N,) of the token in its row.
        token_ids: Id (N,) of the token.
        layers: States (N, K + 1, H) of the embeddings and the K layers. If `None`, only the last
            states were requested.
    """

    states: Tensor
    row: Tensor
    position: Tensor
    token_ids: Tensor
    layers: Tensor | None = None

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, index: Tensor | slice) -> TokenStates:
        """Select tokens by a slice, indices (M,) or a mask (N,) bool."""
        return TokenStates(
            self.states[index],
            self.row[index],
            self.position[index],
            self.token_ids[index],
            None if self.layers is None else self.layers[index],
        )


def states_predicting(
    states: Tensor,
    packed: PackedBatch,
    token_ids: Sequence[int],
    layers: Sequence[Tensor] = (),
) -> TokenStates:
    """Return the states that predict each occurrence of any of `token_ids`.

    Args:
        states: States (B, L, H).
        packed: Batch that the states belong to.
        token_ids: Ids of the tokens.
        layers: States (B, L, H) of the embeddings and of each layer, to be read as well. If empty,
            `layers` of the result is `None`.
    """
    row, position = _occurrences(packed, token_ids)
    before = packed.previous[row, position]
    stacked = torch.stack([each[row, before].float() for each in layers], 1) if layers else None
    return TokenStates(states[row, before], row, position, packed.token_ids[row, position], stacked)


def states_at(states: Tensor, packed: PackedBatch, token_ids: Sequence[int]) -> TokenStates:
    """Return the states that have read each occurrence of any of `token_ids`."""
    row, position = _occurrences(packed, token_ids)
    return TokenStates(states[row, position], row, position, packed.token_ids[row, position])


def image_states(
    states: Tensor, packed: PackedBatch, image_token_id: int, *, predicting: bool
) -> Tensor:
    """Return the states of the image tokens, (B, K, H).

    Args:
        states: States (B, L, H).
        packed: Batch that the states belong to, with K image tokens in every row.
        image_token_id: Id of the token that represents an image token.
        predicting: Whether to return the states that predict the image tokens, the first of which
            is that of the token before the image, instead of the states that have read them.

    Raises:
        ValueError: The rows have different numbers of image tokens.
    """
    pick = states_predicting if predicting else states_at
    found = pick(states, packed, (image_token_id,))
    counts = torch.bincount(found.row, minlength=len(states))
    if bool((counts != counts[0]).any()):
        raise ValueError(
            f"all rows must have the same number of image tokens, got {counts.tolist()}"
        )
    return found.states.unflatten(0, (len(states), -1))


def image_positions(packed: PackedBatch, image_token_id: int) -> Tensor:
    """Return the index (B, K) of the image tokens in each row.

    Args:
        packed: Batch with K image tokens in every row.
        image_token_id: Id of the token that represents an image token.

    Raises:
        ValueError: The rows have different numbers of image tokens.
    """
    row, position = torch.nonzero(packed.token_ids == image_token_id, as_tuple=True)
    counts = torch.bincount(row, minlength=len(packed.token_ids))
    if bool((counts != counts[0]).any()):
        raise ValueError(
            f"all rows must have the same number of image tokens, got {counts.tolist()}"
        )
    return position.unflatten(0, (len(counts), -1))


def next_token_loss(logits: Tensor, packed: PackedBatch) -> Tensor:
    """Return the mean cross-entropy of the labeled tokens; 0 if there are none.

    With several processes, the mean is over the tokens of all: averaged over the processes, losses
    and gradients are those of one process with the whole batch.

    Args:
        logits: Logits (B, L, V) of the states at each position.
        packed: Batch that the logits belong to.
    """
    row, position = torch.nonzero(packed.labels != IGNORE, as_tuple=True)
    before = packed.previous[row, position]
    total = F.cross_entropy(
        logits[row, before].float(), packed.labels[row, position], reduction="sum"
    )
    return total / mean_count(len(row), logits.device)


def mean_count(count: int, device: torch.device) -> Tensor:
    """Return the mean of a count over all processes, as a scalar; the sum counts at least 1."""
    total = torch.tensor(float(count), device=device)
    all_reduce(total)
    return total.clamp(min=1.0) / get_world_size()


def _occurrences(packed: PackedBatch, token_ids: Sequence[int]) -> tuple[Tensor, Tensor]:
    wanted = torch.tensor(list(token_ids), device=packed.token_ids.device)
    found = torch.isin(packed.token_ids, wanted) & (packed.previous >= 0)
    row, position = torch.nonzero(found, as_tuple=True)
    return row, position
