"""Which hidden state belongs to a token.

A causal model's state at position t has read the tokens up to t, and predicts the token at t + 1.
So the state that *predicts* a token stands one position before it: it has not read the token, which
makes it the same in training, where the token is given, and in generation, where it is not yet.
`states_predicting` is the one place where this off-by-one is done.
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
        states: (N, H).
        row: (N,), row of the batch.
        position: (N,), index of the token in its row.
        token_ids: (N,), which of the tokens it is.
    """

    states: Tensor
    row: Tensor
    position: Tensor
    token_ids: Tensor


def states_predicting(states: Tensor, packed: PackedBatch, token_ids: Sequence[int]) -> TokenStates:
    """Return the states that predict each occurrence of any of `token_ids`.

    Args:
        states: (B, L, H).
        packed: The batch that gave them.
        token_ids: The tokens.
    """
    row, position = _occurrences(packed, token_ids)
    before = packed.previous[row, position]
    return TokenStates(states[row, before], row, position, packed.token_ids[row, position])


def states_at(states: Tensor, packed: PackedBatch, token_ids: Sequence[int]) -> TokenStates:
    """Return the states that have read each occurrence of any of `token_ids`."""
    row, position = _occurrences(packed, token_ids)
    return TokenStates(states[row, position], row, position, packed.token_ids[row, position])


def image_states(
    states: Tensor, packed: PackedBatch, image_token_id: int, *, predicting: bool
) -> Tensor:
    """Return the states of the image tokens, (B, K, H).

    Args:
        states: (B, L, H).
        packed: The batch; each row has K image tokens, as many as the others.
        image_token_id: Stands for an image token.
        predicting: The states that predict the image tokens: displaced by one, the first is that of
            the token before the image. Otherwise the states that have read them.
    """
    pick = states_predicting if predicting else states_at
    found = pick(states, packed, (image_token_id,))
    counts = torch.bincount(found.row, minlength=len(states))
    if bool((counts != counts[0]).any()):
        raise ValueError(f"rows have {counts.tolist()} image tokens; expected as many in each")
    return found.states.unflatten(0, (len(states), -1))


def next_token_loss(logits: Tensor, packed: PackedBatch) -> Tensor:
    """Return the mean cross-entropy of the labelled tokens; 0 where there is none.

    Among several processes the mean is over the tokens of all: averaged over the processes, losses
    and gradients are those of one process with the whole batch.

    Args:
        logits: (B, L, V), of the states at each position.
        packed: The batch.
    """
    row, position = torch.nonzero(packed.labels != IGNORE, as_tuple=True)
    before = packed.previous[row, position]
    total = F.cross_entropy(
        logits[row, before].float(), packed.labels[row, position], reduction="sum"
    )
    return total / mean_count(len(row), logits.device)


def mean_count(count: int, device: torch.device) -> Tensor:
    """Return the mean of a count over all processes, at least one in all; a scalar."""
    total = torch.tensor(float(count), device=device)
    all_reduce(total)
    return total.clamp(min=1.0) / get_world_size()


def _occurrences(packed: PackedBatch, token_ids: Sequence[int]) -> tuple[Tensor, Tensor]:
    wanted = torch.tensor(list(token_ids), device=packed.token_ids.device)
    found = torch.isin(packed.token_ids, wanted) & (packed.previous >= 0)
    row, position = torch.nonzero(found, as_tuple=True)
    return row, position
