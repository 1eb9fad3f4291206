"""Token sequences in one batch, each seeing exactly what it would see alone.

A row is a prefix and branches that go on from it: an image with its instruction, and the
expressions asked of it. Branches see the prefix and themselves, not one another, and count their
positions from the end of the prefix; so a row of n branches gives the states of n separate
conversations at the cost of one prefix. A plain conversation is a prefix without branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

IGNORE = -100
"""Label of a token that is not trained; `cross_entropy`'s default."""

PREFIX = 0
PADDING = -1


@dataclass(frozen=True)
class Encoded:
    """A tokenised text.

    Attributes:
        token_ids: Its ids.
        labels: As many; `IGNORE` where the token is not trained.
    """

    token_ids: tuple[int, ...]
    labels: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.token_ids) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels for {len(self.token_ids)} tokens")

    def __len__(self) -> int:
        return len(self.token_ids)

    def __getitem__(self, part: slice) -> Encoded:
        return Encoded(self.token_ids[part], self.labels[part])


@dataclass(frozen=True)
class Row:
    """A prefix and what goes on from it."""

    prefix: Encoded
    branches: tuple[Encoded, ...] = field(default=())


@dataclass(frozen=True)
class PackedBatch:
    """Rows as padded tensors (B, L).

    Attributes:
        token_ids: Ids.
        labels: Of each token itself, not shifted.
        branch: 0 in the prefix, i in the i-th branch, -1 in the padding.
        position_ids: As in a conversation of its own.
        previous: Index of the token before this one in its conversation, -1 for the first: the
            state there is the one that predicts this token.
    """

    token_ids: Tensor
    labels: Tensor
    branch: Tensor
    position_ids: Tensor
    previous: Tensor

    @classmethod
    def from_rows(cls, rows: Sequence[Row], *, pad_id: int, device: torch.device) -> PackedBatch:
        """Pack rows, padded on the right with `pad_id`."""
        columns = [_columns(row) for row in rows]
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
        """Wrap plain conversations that are tokenised and padded already.

        Args:
            token_ids: (B, L).
            padding: (B, L) bool, True = padding, on the right.
            labels: (B, L); None trains nothing.
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
        """Return what may look where: (B, L) for plain conversations, else additive (B, 1, L, L).

        Args:
            dtype: Of an additive mask.
            key_valid: (B, L) bool, False where no position may look.
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
    """Return 0 where a query may look and the lowest number where not, (B, 1, S, L).

    Args:
        query_branch: (B, S).
        key_branch: (B, L).
        is_earlier: (B or 1, S, L) bool: the key is no later than the query.
        dtype: Of the mask.
        key_valid: (B, L) bool.
    """
    same = query_branch[:, :, None] == key_branch[:, None]
    # Padding looks at itself, since a query that sees nothing has no softmax.
    allowed = is_earlier & (same | (key_branch[:, None] == PREFIX))
    if key_valid is not None:
        allowed = allowed & key_valid[:, None]
    lowest = torch.finfo(dtype).min
    return torch.zeros_like(allowed, dtype=dtype).masked_fill_(~allowed, lowest)[:, None]


def share_prefix(conversations: Sequence[Encoded]) -> Row:
    """Turn conversations into branches of the longest prefix that they have in common.

    The prefix ends before the first trained token, and no branch is left empty.
    """
    first, limit = conversations[0], min(map(len, conversations)) - 1
    length = 0
    while length < limit and all(
        each.token_ids[length] == first.token_ids[length] and each.labels[length] == IGNORE
        for each in conversations
    ):
        length += 1
    return Row(first[:length], tuple(each[length:] for each in conversations))


def _columns(row: Row) -> tuple[Tensor, ...]:
    """Return ids, labels, branch, positions and predecessors of a row, (L,) each."""
    start = len(row.prefix)
    parts = (row.prefix, *row.branches)
    ids = [i for part in parts for i in part.token_ids]
    labels = [i for part in parts for i in part.labels]
    lengths = torch.tensor([len(part) for part in parts])
    branch = torch.repeat_interleave(torch.arange(len(parts)), lengths)
    first = (lengths.cumsum(0) - lengths)[branch]  # where the part of each token begins
    index = torch.arange(len(ids))
    offset = index - first
    positions = torch.where(branch > 0, offset + start, offset)
    previous = torch.where((offset == 0) & (branch > 0), start - 1, index - 1)
    return torch.tensor(ids), torch.tensor(labels), branch, positions, previous
