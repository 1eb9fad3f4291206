import pytest
import torch
from torch.nn import functional as F

from vgtoolbox.models.layers import DecomposedRelativePosition


@pytest.fixture
def module():
    torch.manual_seed(0)
    module = DecomposedRelativePosition(head_dim=4, side=3)
    for table in module.parameters():
        torch.nn.init.normal_(table)
    return module


def test_bias_is_the_sum_of_the_row_and_column_terms(module):
    query = torch.randn(2, 3, 9, 4)
    bias = module(query, (3, 3))
    for (y, x), (y2, x2) in (((0, 0), (2, 1)), ((1, 2), (1, 2)), ((2, 0), (0, 2))):
        expected = query[:, :, 3 * y + x] @ (module.rows[y - y2 + 2] + module.columns[x - x2 + 2])
        torch.testing.assert_close(bias[:, :, 3 * y + x, 3 * y2 + x2], expected)


def test_tables_are_resampled_for_another_grid(module):
    query = torch.randn(1, 1, 8, 4)  # a grid of 2 x 4
    bias = module(query, (2, 4))
    assert bias.shape == (1, 1, 8, 8)
    rows = F.interpolate(module.rows.t()[None], size=3, mode="linear")[0].t()
    columns = F.interpolate(module.columns.t()[None], size=7, mode="linear")[0].t()
    expected = query[0, 0, 6] @ (rows[1 - 0 + 1] + columns[2 - 3 + 3])  # (1, 2) to (0, 3)
    torch.testing.assert_close(bias[0, 0, 6, 3], expected)


def test_initial_bias_is_zero():
    module = DecomposedRelativePosition(head_dim=4, side=3)
    assert not module(torch.randn(1, 2, 9, 4), (3, 3)).any()
    assert module.rows.shape == module.columns.shape == (5, 4)


def test_tables_receive_gradients(module):
    module(torch.randn(1, 1, 9, 4), (3, 3)).sum().backward()
    assert module.rows.grad.abs().sum() > 0
    assert module.columns.grad.abs().sum() > 0
