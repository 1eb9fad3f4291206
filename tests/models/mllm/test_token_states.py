import pytest
import torch
from torch.nn import functional as F

from vgtoolbox.models.mllm import (
    IGNORE,
    BranchedSequence,
    PackedBatch,
    TokenSequence,
    image_states,
    next_token_loss,
    states_at,
    states_predicting,
)


def batch(*rows):
    return PackedBatch.from_sequences(rows, pad_id=0, device=torch.device("cpu"))


def plain(*ids, labels=None):
    return TokenSequence(ids, labels or (IGNORE,) * len(ids))


def positions(packed):
    """Return states that equal their own index, so that a readout shows its position."""
    return torch.arange(packed.token_ids.shape[1]).expand_as(packed.token_ids)[..., None].float()


def test_the_predicting_state_is_one_position_before():
    packed = batch(BranchedSequence(plain(5, 7, 6, 7)))
    assert states_predicting(positions(packed), packed, (7,)).states[:, 0].tolist() == [0, 2]
    assert states_at(positions(packed), packed, (7,)).states[:, 0].tolist() == [1, 3]


def test_the_first_token_of_a_branch_is_predicted_by_the_prefix():
    packed = batch(BranchedSequence(plain(5, 6), (plain(7, 8), plain(7, 9))))
    found = states_predicting(positions(packed), packed, (7, 9))
    assert found.states[:, 0].tolist() == [1, 1, 4]
    assert found.token_ids.tolist() == [7, 7, 9]
    assert found.position.tolist() == [2, 4, 5]


def test_nothing_predicts_the_first_token():
    packed = batch(BranchedSequence(plain(7, 5)))
    assert len(states_predicting(positions(packed), packed, (7,)).states) == 0


def test_order_is_by_row_then_position():
    packed = batch(BranchedSequence(plain(1, 8, 7)), BranchedSequence(plain(1, 7)))
    found = states_predicting(positions(packed), packed, (7, 8))
    assert found.row.tolist() == [0, 0, 1]
    assert found.token_ids.tolist() == [8, 7, 7]


@pytest.mark.parametrize(("predicting", "first"), [(True, 0), (False, 1)])
def test_image_states(predicting, first):
    packed = batch(BranchedSequence(plain(1, 4, 4, 5)), BranchedSequence(plain(1, 4, 4)))
    states = image_states(positions(packed), packed, 4, predicting=predicting)
    assert states[..., 0].tolist() == [[first, first + 1]] * 2


def test_rows_with_unequal_images():
    packed = batch(BranchedSequence(plain(1, 4, 4)), BranchedSequence(plain(1, 4, 5)))
    with pytest.raises(ValueError, match=r"same number of image tokens, got \[2, 1\]"):
        image_states(positions(packed), packed, 4, predicting=True)


def test_the_loss_equals_that_of_separate_conversations():
    generator = torch.Generator().manual_seed(0)
    head = torch.randn(4, 10, generator=generator)
    row = BranchedSequence(plain(1, 2), (plain(3, 4, labels=(3, IGNORE)), plain(5, labels=(5,))))
    packed = batch(row)
    logits = torch.randn(1, 5, 10, generator=generator) + head.sum()
    # Token 3 and token 5 are both predicted by the end of the prefix, index 1.
    expected = F.cross_entropy(logits[0, [1, 1]], torch.tensor([3, 5]))
    torch.testing.assert_close(next_token_loss(logits, packed), expected)


def test_the_loss_without_labels_is_zero():
    packed = batch(BranchedSequence(plain(1, 2)))
    logits = torch.randn(1, 2, 4, requires_grad=True)
    loss = next_token_loss(logits, packed)
    loss.backward()
    assert float(loss) == 0
    assert bool((logits.grad == 0).all())
