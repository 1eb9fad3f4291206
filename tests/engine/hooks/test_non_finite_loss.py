import pytest

from vgtoolbox.engine import train


def test_a_diverging_run_stops_and_names_the_loss(toy_config):
    cfg = toy_config(**{"optim_wrapper.optimizer.lr": float("inf"), "param_scheduler": None})
    with pytest.raises(FloatingPointError, match=r"iteration 2 \(epoch 1\): .*loss is .*'toy_\d+'"):
        train(cfg)
