import pytest
import torch

from vgtoolbox.models.decoders import InstanceQueryDecoder

SMALL = {"channels": 16, "num_heads": 2, "ffn_channels": 24}


@pytest.fixture
def case():
    torch.manual_seed(0)
    levels = [torch.randn(2, 16, 8 >> i, 8 >> i) for i in range(4)]
    return torch.randn(2, 5, 16), torch.rand(2, 5, 2), levels


def test_states_of_all_layers_are_returned(case):
    decoded = InstanceQueryDecoder(**SMALL, num_layers=2)(*case)
    assert decoded.states.shape == (2, 2, 5, 16)
    assert decoded.references.shape == (2, 5, 2)


def test_published_reference_is_a_sum_that_may_leave_the_image(case):
    content, points, levels = case
    decoder = InstanceQueryDecoder(**SMALL, reference="sum")
    shift = decoder.reference_shift(decoder.position_embed(points)).sigmoid()
    references = decoder(content, points, levels).references
    torch.testing.assert_close(references, points + shift)
    assert (references > 1).any()


def test_residual_reference_stays_inside_and_starts_at_the_point(case):
    content, points, levels = case
    decoder = InstanceQueryDecoder(**SMALL, reference="residual")
    references = decoder(content, points, levels).references
    assert ((references > 0) & (references < 1)).all()
    torch.nn.init.zeros_(decoder.reference_shift.weight)
    inside = points.clamp(0.01, 0.99)
    torch.testing.assert_close(decoder(content, inside, levels).references, inside)


def test_content_reference_ignores_the_points(case):
    content, points, levels = case
    decoder = InstanceQueryDecoder(**SMALL, reference="content").eval()
    decoded = decoder(content, points, levels)
    assert ((decoded.references > 0) & (decoded.references < 1)).all()
    other_points = decoder(content, points.flip(1), levels)
    torch.testing.assert_close(other_points.states, decoded.states)
    assert not torch.equal(decoder(content.flip(2), points, levels).references, decoded.references)


def test_order_of_queries_does_not_matter(case):
    content, points, levels = case
    decoder = InstanceQueryDecoder(**SMALL).eval()
    order = torch.randperm(5)
    states = decoder(content, points, levels).states
    shuffled = decoder(content[:, order], points[:, order], levels).states
    torch.testing.assert_close(shuffled, states[:, :, order], atol=1e-5, rtol=1e-4)


def test_queries_read_only_the_pyramid_of_their_own_sample(case):
    content, points, levels = case
    decoder = InstanceQueryDecoder(**SMALL, num_layers=1, reference="residual").eval()
    before = decoder(content, points, levels).states
    changed = [level.clone() for level in levels]
    for level in changed:
        level[1] += 1.0
    difference = (decoder(content, points, changed).states - before).abs().amax((0, 2, 3))
    assert difference[0] == 0
    assert difference[1] > 0


def test_an_unknown_reference_raises():
    message = "reference must be 'sum', 'residual' or 'content', got 'product'"
    with pytest.raises(ValueError, match=message):
        InstanceQueryDecoder(**SMALL, reference="product")
