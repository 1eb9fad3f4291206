import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vgtoolbox.models.decoders import AttentionQuerySelector
from vgtoolbox.models.decoders.query_selector import distance_bonus, spread_points

CHANNELS, TOKENS, GRID = 8, 6, (4, 5)


def _selector(num_queries=4, **options):
    torch.manual_seed(0)
    options = {"num_heads": 2, "ffn_channels": 12, "dropout": 0.0} | options
    return AttentionQuerySelector(channels=CHANNELS, num_queries=num_queries, **options)


def _padding(*lengths):
    return torch.arange(TOKENS) >= torch.tensor(lengths)[:, None]


@pytest.fixture
def text():
    return torch.randn(2, TOKENS, CHANNELS, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def image():
    return torch.randn(2, CHANNELS, *GRID, generator=torch.Generator().manual_seed(2))


class TestFilterTokens:
    def test_more_tokens_than_queries_keep_the_best(self, text):
        padding = _padding(5, 6)
        tokens, is_valid = _selector().filter_tokens(text, padding)
        assert is_valid.all()
        for sample in range(2):
            score = text[sample].mean(1)[~padding[sample]]
            best = score.argsort(descending=True)[:4]
            assert torch.equal(tokens[sample], text[sample, best])

    def test_exactly_as_many_tokens_as_queries(self, text):
        tokens, is_valid = _selector().filter_tokens(text, _padding(4, 4))
        assert is_valid.all()
        order = text[:, :4].mean(2).argsort(1, descending=True)
        expected = text.gather(1, order[..., None].expand(-1, -1, CHANNELS))
        assert torch.equal(tokens, expected)

    def test_fewer_tokens_keep_the_order_of_the_text_and_are_padded_with_zeros(self, text):
        tokens, is_valid = _selector().filter_tokens(text, _padding(3, 1))
        assert is_valid.tolist() == [[True, True, True, False], [True, False, False, False]]
        assert torch.equal(tokens[0, :3], text[0, :3])
        assert torch.equal(tokens[1, :1], text[1, :1])
        assert (tokens[~is_valid] == 0).all()

    def test_samples_are_filtered_independently(self, text):
        selector = _selector()
        together, _ = selector.filter_tokens(text, _padding(3, 6))
        alone, _ = selector.filter_tokens(text[1:], _padding(6))
        assert torch.equal(together[1:], alone)

    def test_score_can_be_the_norm(self, text):
        text = text.clone()
        text[:, 2] = -100.0  # smallest mean, largest norm
        padding = _padding(6, 6)
        by_mean, _ = _selector(1, token_score="mean").filter_tokens(text, padding)
        by_norm, _ = _selector(1, token_score="l2").filter_tokens(text, padding)
        assert (by_norm == -100).all()
        assert not (by_mean == -100).any()

    def test_too_few_tokens_for_the_queries_raise(self, text):
        with pytest.raises(ValueError, match="at least num_queries=7 tokens, got 6; raise"):
            _selector(7).filter_tokens(text, _padding(6, 6))

    def test_an_unknown_score_raises(self):
        with pytest.raises(ValueError, match="token_score must be 'mean' or 'l2', got 'max'"):
            _selector(token_score="max")


class TestForward:
    def test_shapes_and_attention(self, image, text):
        selected = _selector()(image, text, _padding(6, 2))
        assert selected.content.shape == (2, 4, CHANNELS)
        assert selected.points.shape == (2, 4, 2)
        assert selected.attention.shape == (2, 4, *GRID)
        torch.testing.assert_close(selected.attention.sum((2, 3)), torch.ones(2, 4))
        assert selected.is_valid.sum(1).tolist() == [4, 2]

    def test_pooled_attention_is_the_maximum_over_valid_queries(self, image, text):
        selected = _selector()(image, text, _padding(6, 2))
        torch.testing.assert_close(selected.attention_pooled[0], selected.attention[0].amax(0))
        torch.testing.assert_close(selected.attention_pooled[1], selected.attention[1, :2].amax(0))

    def test_first_point_is_the_center_of_the_most_attended_cell(self, image, text):
        selected = _selector()(image, text, _padding(6, 6))
        for pooled, points in zip(selected.attention_pooled, selected.points, strict=True):
            row, column = divmod(int(pooled.argmax()), GRID[1])
            expected = [(column + 0.5) / GRID[1], (row + 0.5) / GRID[0]]
            assert points[0].tolist() == pytest.approx(expected)

    def test_padding_tokens_do_not_matter(self, image, text):
        selector, padding = _selector(), _padding(5, 3)
        clean = selector(image, text, padding)
        noisy = selector(image, text.masked_fill(padding[..., None], 9.0), padding)
        torch.testing.assert_close(noisy.content, clean.content)
        assert torch.equal(noisy.points, clean.points)

    def test_single_query(self, image, text):
        selected = _selector(1)(image, text, _padding(6, 1))
        assert selected.points.shape == (2, 1, 2)
        assert torch.equal(selected.attention_pooled, selected.attention[:, 0])

    def test_points_do_not_carry_gradients_but_content_does(self, image, text):
        selector = _selector()
        selected = selector(image.requires_grad_(), text.requires_grad_(), _padding(6, 6))
        assert not selected.points.requires_grad
        selected.content.square().sum().backward()
        assert image.grad.abs().sum() > 0
        assert text.grad.abs().sum() > 0


def _spread(attention, grid, num_points, weight):
    return spread_points(attention, distance_bonus(grid, weight), num_points)


def _spread_as_published(attention, grid, num_points, weight):
    """Follow the published algorithm: mask the chosen cell and search again."""
    cells = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float()
    score, nearest = attention.sigmoid(), torch.full_like(attention, torch.inf)
    chosen = [score.argmax(1)]
    for _ in range(num_points - 1):
        nearest = nearest.minimum((cells[None] - cells[chosen[-1], None]).norm(dim=2))
        score = score.scatter(1, chosen[-1][:, None], -torch.inf)
        chosen.append((score + weight * nearest / (grid[0] ** 2 + grid[1] ** 2) ** 0.5).argmax(1))
    return torch.stack(chosen, 1)


class TestSpreadPoints:
    def test_choices_equal_those_of_the_published_algorithm(self):
        # Scores are as close to each other as those of untrained weights after the softmax.
        attention = torch.rand(16, 400, generator=torch.Generator().manual_seed(0)) / 400
        ours = _spread(attention, (20, 20), 10, 0.003)
        assert torch.equal(ours, _spread_as_published(attention, (20, 20), 10, 0.003))

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def test_points_are_distinct_and_begin_at_the_most_attended_cell(self, data):
        height, width = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))
        cells = height * width
        count = data.draw(st.integers(1, cells))
        weight = data.draw(st.floats(0, 5))
        attention = torch.tensor(data.draw(st.lists(st.permutations(range(cells)), min_size=1)))
        attention = attention / cells
        index = _spread(attention, (height, width), count, weight)
        assert index.shape == (len(attention), count)
        assert torch.equal(index[:, 0], attention.argmax(1))
        assert all(len(set(row)) == count for row in index.tolist())
        if weight == 0:
            assert torch.equal(index, attention.topk(count).indices)

    def test_zero_weight_chooses_the_most_attended_cells(self):
        attention = torch.rand(5, 30, generator=torch.Generator().manual_seed(0))
        index = _spread(attention, (5, 6), 9, 0.0)
        assert torch.equal(index, attention.topk(9).indices)

    def test_large_weight_chooses_the_farthest_cells(self):
        attention = torch.zeros(1, 9)
        attention[0, 0] = 1.0
        # From one corner to the opposite one, then to the other two, then to the center.
        index = _spread(attention, (3, 3), 5, 100.0)
        assert index.tolist() == [[0, 8, 2, 6, 4]]

    def test_published_weight_breaks_near_ties_only(self):
        attention = torch.tensor([[0.9, 0.8, 0.3, 0.3]])
        assert _spread(attention, (1, 4), 3, 0.003).tolist() == [[0, 1, 3]]

    def test_distance_is_measured_in_grid_diagonals(self):
        # sigmoid 0.599 + 0.1 * 1 / 4.12 for the second cell, 0.5 + 0.1 * 3 / 4.12 for the last.
        attention = torch.tensor([[0.9, 0.4, 0.0, 0.0]])
        assert _spread(attention, (1, 4), 2, 0.1).tolist() == [[0, 1]]
        assert _spread(attention, (1, 4), 2, 0.3).tolist() == [[0, 3]]

    def test_more_points_than_cells_raise(self):
        with pytest.raises(ValueError, match=r"the number of cells of the grid \(4\), got 5"):
            _spread(torch.zeros(1, 4), (2, 2), 5, 0.0)
