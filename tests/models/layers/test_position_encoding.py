import math

import pytest
import torch

from vgtoolbox.models.layers import sine_position_encoding
from vgtoolbox.registry import MODELS


@pytest.mark.parametrize("grid", [(20, 20), (3, 7), (1, 1)])
def test_agrees_with_mmdet(mmdet, grid):
    oracle = MODELS.build(
        {"type": "mmdet.SinePositionalEncoding", "num_feats": 16, "normalize": True}
    )
    expected = oracle(torch.zeros(1, *grid, dtype=torch.bool))  # (1, 32, h, w)
    ours = sine_position_encoding(grid, 32)
    torch.testing.assert_close(ours, expected[0].flatten(1).T, rtol=0, atol=1e-5)


def test_rows_come_first_and_columns_second():
    encoding = sine_position_encoding((2, 3), 8).unflatten(0, (2, 3))
    rows, columns = encoding.split(4, 2)
    assert torch.equal(rows[:, 0], rows[:, 2])
    assert torch.equal(columns[0], columns[1])
    # The first of two rows, counted from 1, is at half a turn.
    assert rows[0, 0, :2].tolist() == pytest.approx([0.0, -1.0], abs=1e-5)
    third = 2 * math.pi / 3
    assert columns[0, 0, :2].tolist() == pytest.approx([math.sin(third), math.cos(third)], abs=1e-5)


def test_every_cell_has_a_distinct_encoding():
    encoding = sine_position_encoding((6, 5), 16)
    assert encoding.shape == (30, 16)
    assert torch.cdist(encoding, encoding).fill_diagonal_(1).min() > 1e-2
