"""Greedy generation for all branches of a packed batch at once, with one shared cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from vgtoolbox.models.mllm.adapters.base import LMStates, MultimodalAdapter, Placeholders
from vgtoolbox.models.mllm.packing import PADDING, PackedBatch, additive_mask


@dataclass(frozen=True)
class GenerationStep:
    """One step of generation for S branches of each of B rows.

    Attributes:
        token_ids: Ids (B, S) of the generated tokens.
        states: States (B, S, H) that predicted them.
        alive: Mask (B, S) bool, False for branches that have ended or that a row does not have.
        layers: States (B, S, K + 1, H) of the embeddings and of each layer, or `None`.
    """

    token_ids: Tensor
    states: Tensor
    alive: Tensor
    layers: Tensor | None = None


@dataclass
class BranchDecoder:
    """Decoder of all branches of a batch, with the cache of their common model.

    All branches of a row share the cached prefix, which is stored once: the mask lets a new token
    of a branch attend to the prefix and to the tokens of its own branch.

    Args:
        adapter: Language model.
        packed: Batch whose rows have at least one branch, each up to the start of its answer.
        placeholders: Image features.
        key_valid: Mask (B, L) bool, False for keys that no position may attend to. If `None`, all
            keys are valid.
        all_layers: Whether to return the states of every layer.
    """

    adapter: MultimodalAdapter
    packed: PackedBatch
    placeholders: tuple[Placeholders, ...] = ()
    key_valid: Tensor | None = None
    all_layers: bool = False

    def __post_init__(self) -> None:
        self.cache = DynamicCache()
        self.prefill: LMStates = self.adapter.run(
            self.packed,
            self.placeholders,
            key_valid=self.key_valid,
            all_layers=self.all_layers,
            cache=self.cache,
        )

    def generate(self, *, eos_id: int, max_new_tokens: int) -> Iterator[GenerationStep]:
        """Generate step by step until every branch has produced `eos_id`.

        Args:
            eos_id: Id of the token that ends an answer.
            max_new_tokens: Maximum number of steps.
        """
        key_branch, key_valid = self.packed.branch, self.key_valid
        branch, last = last_positions(self.packed)
        rows = torch.arange(len(branch), device=branch.device)[:, None]
        states = self.prefill.last[rows, last]  # (B, S, H)
        layers = [each[rows, last] for each in self.prefill.layers]
        positions = self.packed.position_ids[rows, last]
        alive = branch > PADDING
        for _ in range(max_new_tokens):
            tokens = self.adapter.logits(states).argmax(-1)
            stacked = torch.stack(layers, 2).float() if layers else None
            yield GenerationStep(tokens, states, alive, stacked)
            alive = alive & (tokens != eos_id)
            if not bool(alive.any()):
                return
            branch = torch.where(alive, branch, PADDING)
            key_branch = torch.cat([key_branch, branch], 1)
            if key_valid is not None:
                key_valid = torch.cat([key_valid, torch.ones_like(alive)], 1)
            positions = positions + 1
            step = self.adapter.step(
                tokens,
                mask=_step_mask(branch, key_branch, states.dtype, key_valid),
                position_ids=positions,
                cache=self.cache,
                all_layers=self.all_layers,
            )
            states, layers = step.last, list(step.layers)


def last_positions(packed: PackedBatch) -> tuple[Tensor, Tensor]:
    """Return the numbers of the branches (B, S) and the index (B, S) of the last token of each.

    Rows with fewer branches than S are filled with branch -1 at index 0.

    Raises:
        ValueError: The batch has no branches.
    """
    count = int(packed.branch.max())
    if count < 1:
        raise ValueError(
            "a batch must have branches for generation, got none; pack questions by share_prefix"
        )
    numbers = torch.arange(1, count + 1, device=packed.branch.device)
    is_member = packed.branch[:, None] == numbers[None, :, None]  # (B, S, L)
    index = torch.arange(packed.branch.shape[1], device=packed.branch.device)
    last = torch.where(is_member, index, -1).amax(2)
    branch = torch.where(last >= 0, numbers, PADDING)
    return branch, last.clamp(min=0)


def _step_mask(
    branch: Tensor, key_branch: Tensor, dtype: torch.dtype, key_valid: Tensor | None
) -> Tensor:
    """Return the mask (B, 1, S, L) for one new token per branch, which are the last S keys."""
    steps, length = branch.shape[1], key_branch.shape[1]
    index = torch.arange(length, device=branch.device)
    own = torch.arange(length - steps, length, device=branch.device)
    is_earlier = (index < length - steps) | (index == own[:, None])  # (S, L)
    return additive_mask(branch, key_branch, is_earlier[None], dtype, key_valid)
