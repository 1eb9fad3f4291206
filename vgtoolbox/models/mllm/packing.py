"""Packing of token sequences with shared prefixes into one batch.

A row consists of a prefix and branches that continue it: an image with its instruction, and the
expressions that are queried. Branches attend to the prefix and to themselves, not to each other,
and count their positions from the end of the prefix. So a row of n branches gives the states of n
separate conversations at the cost of one prefix. A plain conversation is a prefix without branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

IGNORE = -100
"""Label of a token that is not trained; the default of `cross_entropy`."""

PREFIX = 0
PADDING = -1


@dataclass(frozen=True)
class TokenSequence:
    """Tokenized text with a label per token.

    Attributes:
        token_ids: Ids of the tokens.
        labels: Labels of the tokens; `IGNORE` for those that are not trained.
    """

    token_ids: tuple[int, ...]
    labels: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.token_ids) != len(self.labels):
            raise ValueError(
                f"labels must have one entry per token, got {len(self.labels)} for "
                f"{len(self.token_ids)} tokens"
            )

    def __len__(self) -> int:
        return len(self.token_ids)

    def __getitem__(self, part: slice) -> TokenSequence:
        return TokenSequence(self.token_ids[part], self.labels[part])


@dataclass(frozen=True)
class BranchedSequence:
    """Prefix and the branches that continue it.

    Attributes:
        prefix: Tokens that all branches attend to.
        branches: Continuations of the prefix; empty for a plain conversation.
    """

    prefix: TokenSequence
    branches: tuple[TokenSequence, ...] = field(default=())


@dataclass(frozen=True)
class PackedBatch:
    """Rows as padded tensors (B, L).

    Attributes:
        token_ids: Ids of the tokens.
        labels: Labels of the tokens themselves, not shifted.
        branch: Number of the branch: 0 in the prefix, i in the i-th branch, -1 in the padding.
        position_ids: Position of each token in its conversation.
        previous: Index of the token before this one in its conversation, whose state predicts this
            one; -1 for the first token.
    """

    token_ids: Tensor
    labels: Tensor
    branch: Tensor
    position_ids: Tensor
    previous: Tensor

    @classmethod
    def from_sequences(
        cls, sequences: Sequence[BranchedSequence], *, pad_id: int, device: torch.device
    ) -> PackedBatch:
        """Pack one sequence per row, padded on the right with `pad_id`."""
        columns = [_columns(sequence) for sequence in sequences]
        fills = (pad_id, IGNORE, PADDING, 0, -1)
        stacked = [
            pad_sequence([c[i] for c in columns], batch_first=True, padding_value=fill).to(device)
            for i, fill in enumerate(fills)
        ]
        return cls(*stacked)

    @classmethod
    def from_ids(
        cls, token_ids: Tensor, padding: Tensor | None = None, labels: Tensor | None = None
    ) -> PackedBatch:
        """Wrap plain conversations that are tokenized and padded.

        Args:
            token_ids: Ids (B, L).
            padding: Mask (B, L) bool, True for padding, which is on the right. If `None`, there is
                no padding.
            labels: Labels (B, L). If `None`, no token is trained.
        """
        padding = torch.zeros_like(token_ids, dtype=torch.bool) if padding is None else padding
        positions = torch.arange(token_ids.shape[1], device=token_ids.device)
        return cls(
            token_ids=token_ids,
            labels=torch.full_like(token_ids, IGNORE) if labels is None else labels,
            branch=torch.where(padding, PADDING, PREFIX),
            position_ids=positions.expand_as(token_ids),
            previous=(positions - 1).expand_as(token_ids).masked_fill(padding, -1),
        )

    def attention_mask(self, dtype: torch.dtype, key_valid: Tensor | None = None) -> Tensor:
        """Return the attention mask: (B, L) for plain conversations, else additive (B, 1, L, L).

        Args:
            dtype: Dtype of an additive mask.
            key_valid: Mask (B, L) bool, False for keys that no position may attend to. If `None`,
                all keys are valid.
        """
        if bool((self.branch <= PREFIX).all()):
            valid = self.branch == PREFIX
            return valid.long() if key_valid is None else (valid & key_valid).long()
        order = torch.arange(self.branch.shape[1], device=self.branch.device)
        is_earlier = order[None, :, None] >= order[None, None, :]
        return additive_mask(self.branch, self.branch, is_earlier, dtype, key_valid)


def additive_mask(
    query_branch: Tensor,
    key_branch: Tensor,
    is_earlier: Tensor,
    dtype: torch.dtype,
    key_valid: Tensor | None = None,
) -> Tensor:
    """Return a mask (B, 1, S, L): 0 for keys that a query attends to, else the lowest number.

    Args:
        query_branch: Branch (B, S) of each query.
        key_branch: Branch (B, L) of each key.
        is_earlier: Mask (B or 1, S, L) bool, True for keys that are not later than the query.
        dtype: Dtype of the mask.
        key_valid: Mask (B, L) bool, False for keys that no query may attend to. If `None`, all keys
            are valid.
    """
    same = query_branch[:, :, None] == key_branch[:, None]
    # Padding attends to itself, because the softmax over no keys is undefined.
    allowed = is_earlier & (same | (key_branch[:, None] == PREFIX))
    if key_valid is not None:
        allowed = allowed & key_valid[:, None]
    lowest = torch.finfo(dtype).min
    return torch.zeros_like(allowed, dtype=dtype).masked_fill_(~allowed, lowest)[:, None]


def share_prefix(conversations: Sequence[TokenSequence]) -> BranchedSequence:
    """Convert conversations to branches of their longest common prefix.

    The prefix ends before the first trained token, and no branch is empty.
    """
    first, limit = conversations[0], min(map(len, conversations)) - 1
    length = 0
    while length < limit and all(
        each.token_ids[length] == first.token_ids[length] and each.labels[length] == IGNORE
        for each in conversations
    ):
        length += 1
    return BranchedSequence(first[:length], tuple(each[length:] for each in conversations))


def _columns(row: BranchedSequence) -> tuple[Tensor, ...]:
    """Return ids, labels, branch, positions and predecessors of a row, (L,) each."""
    start = len(row.prefix)
    parts = (row.prefix, *row.branches)
    ids = [i for part in parts for i in part.token_ids]
    labels = [i for part in parts for i in part.labels]
    lengths = torch.tensor([len(part) for part in parts])
    branch = torch.repeat_interleave(torch.arange(len(parts)), lengths)
    first = (lengths.cumsum(0) - lengths)[branch]  # index of the first token in the same part
    index = torch.arange(len(ids))
    offset = index - first
    positions = torch.where(branch > 0, offset + start, offset)
    previous = torch.where((offset == 0) & (branch > 0), start - 1, index - 1)
    return torch.tensor(ids), torch.tensor(labels), branch, positions, previous
