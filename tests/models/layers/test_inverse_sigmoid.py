import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.models.layers import inverse_sigmoid


@given(st.floats(0.0011, 0.9989))
def test_inverts_the_sigmoid_between_the_bounds(probability):
    logit = inverse_sigmoid(torch.tensor(probability, dtype=torch.float64))
    assert logit.sigmoid().item() == pytest.approx(probability, rel=1e-9)


@pytest.mark.parametrize(
    ("probability", "logit"),
    [
        (0.5, 0.0),
        (0.75, math.log(3)),
        (0.0, math.log(1e-3)),
        (1.0, math.log(1e3)),
        # Initial references outside the image are clamped to its border.
        (1.67, math.log(1e3)),
        (-0.2, math.log(1e-3)),
        # Only the numerator is guarded: not log(eps / (1 - eps)).
        (0.0005, math.log(1e-3 / 0.9995)),
    ],
)
def test_values_and_bounds(probability, logit):
    assert inverse_sigmoid(torch.tensor(probability)).item() == pytest.approx(logit, abs=1e-5)


def test_eps_sets_the_bounds():
    ends = inverse_sigmoid(torch.tensor([0.0, 1.0], dtype=torch.float64), eps=1e-5)
    assert ends.tolist() == pytest.approx([math.log(1e-5), math.log(1e5)])


def test_gradient_is_finite_at_and_beyond_the_borders():
    probability = torch.tensor([-1.0, 0.0, 0.3, 1.0, 2.0], requires_grad=True)
    inverse_sigmoid(probability).sum().backward()
    assert probability.grad.isfinite().all()
    assert probability.grad[2].item() == pytest.approx(1 / (0.3 * 0.7), rel=1e-5)
