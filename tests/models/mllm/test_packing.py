import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.models.mllm import IGNORE, BranchedSequence, PackedBatch, TokenSequence, share_prefix

CPU = torch.device("cpu")


def encoded(*ids, num_labeled=0):
    labels = (IGNORE,) * (len(ids) - num_labeled) + ids[len(ids) - num_labeled :]
    return TokenSequence(ids, labels)


def pack(*rows):
    return PackedBatch.from_sequences(rows, pad_id=9, device=CPU)


def test_packed_rows_match_a_manual_example():
    packed = pack(
        BranchedSequence(encoded(1, 2, 3), (encoded(4, 5), encoded(6))),
        BranchedSequence(encoded(7, 8)),
    )
    assert packed.token_ids.tolist() == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 9, 9, 9]]
    assert packed.branch.tolist() == [[0, 0, 0, 1, 1, 2], [0, 0, -1, -1, -1, -1]]
    assert packed.position_ids.tolist()[0] == [0, 1, 2, 3, 4, 3]
    assert packed.previous.tolist() == [[-1, 0, 1, 2, 3, 2], [-1, 0, -1, -1, -1, -1]]
    assert packed.labels.tolist()[1] == [IGNORE] * 6


def test_attention_mask_of_branches():
    mask = pack(BranchedSequence(encoded(1, 2), (encoded(3, 4), encoded(5)))).attention_mask(
        torch.float32
    )
    seen = (mask[0, 0] == 0).int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]


def test_padding_attends_to_itself():
    packed = pack(
        BranchedSequence(encoded(1), (encoded(2), encoded(3))),
        BranchedSequence(encoded(4), (encoded(5),)),
    )
    mask = packed.attention_mask(torch.float32)
    assert (mask.amax(-1) == 0).all()


def test_plain_conversations_need_no_square_mask():
    packed = pack(BranchedSequence(encoded(1, 2, 3)), BranchedSequence(encoded(4)))
    assert packed.attention_mask(torch.float32).tolist() == [[1, 1, 1], [1, 0, 0]]
    valid = torch.tensor([[True, False, True]] * 2)
    assert packed.attention_mask(torch.float32, valid).tolist() == [[1, 0, 1], [1, 0, 0]]


def test_padded_ids_and_sequences_give_the_same_batch():
    ids, padding = torch.tensor([[1, 2, 3], [4, 9, 9]]), torch.tensor([[0, 0, 0], [0, 1, 1]])
    ours, theirs = (
        pack(BranchedSequence(encoded(1, 2, 3)), BranchedSequence(encoded(4))),
        PackedBatch.from_ids(ids, padding == 1),
    )
    assert torch.equal(ours.branch, theirs.branch)
    assert torch.equal(ours.previous, theirs.previous)
    assert torch.equal(ours.token_ids, theirs.token_ids)


def test_the_shared_prefix_ends_before_trained_tokens():
    row = share_prefix([encoded(1, 2, 5, 7, num_labeled=2), encoded(1, 2, 5, 8, num_labeled=1)])
    assert row.prefix.token_ids == (1, 2)
    assert [each.token_ids for each in row.branches] == [(5, 7), (5, 8)]


def test_no_branch_is_empty():
    row = share_prefix([encoded(1, 2), encoded(1, 2)])
    assert row.prefix.token_ids == (1,)
    assert [each.token_ids for each in row.branches] == [(2,), (2,)]
    assert share_prefix([encoded(1, 2, 3)]).branches[0].token_ids == (3,)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=4))
def test_prefix_and_branch_are_the_conversation(lists):
    conversations = [encoded(*ids) for ids in lists]
    row = share_prefix(conversations)
    for conversation, branch in zip(conversations, row.branches, strict=True):
        assert row.prefix.token_ids + branch.token_ids == conversation.token_ids
        assert len(branch) > 0


def test_labels_belong_to_tokens():
    with pytest.raises(ValueError, match="got 1 for 2 tokens"):
        TokenSequence((1, 2), (3,))
