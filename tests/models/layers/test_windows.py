import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.models.layers import join_windows, split_windows


def test_windows_are_ordered_row_by_row():
    grid = torch.arange(16.0).view(1, 4, 4, 1)
    windows = split_windows(grid, 2)
    assert windows.shape == (4, 2, 2, 1)
    assert windows[1].flatten().tolist() == [2, 3, 6, 7]
    assert windows[2].flatten().tolist() == [8, 9, 12, 13]


def test_a_grid_that_windows_do_not_tile_is_padded_with_zeros():
    windows = split_windows(torch.ones(2, 3, 5, 4), 2)
    assert windows.shape == (2 * 2 * 3, 2, 2, 4)
    assert windows.sum() == 2 * 3 * 5 * 4
    last = windows.view(2, 2, 3, 2, 2, 4)[0, 1, 2, ..., 0]
    assert last.tolist() == [[1, 0], [0, 0]]


@given(
    batch=st.integers(1, 3),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    side=st.integers(1, 5),
)
def test_joining_inverts_splitting(batch, height, width, side):
    grid = torch.randn(batch, height, width, 2)
    assert torch.equal(join_windows(split_windows(grid, side), (height, width)), grid)


@pytest.mark.parametrize("size", [(4, 6), (5, 3)])
def test_an_empty_batch_has_no_windows(size):
    windows = split_windows(torch.zeros(0, *size, 2), 2)
    assert len(windows) == 0
