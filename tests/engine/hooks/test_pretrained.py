import logging
from types import SimpleNamespace

import pytest
import torch

from vgtoolbox.checkpoint import CheckpointError, CheckpointMismatchError, save_checkpoint
from vgtoolbox.engine import train
from vgtoolbox.engine.hooks import PretrainedWeightsHook
from vgtoolbox.registry import MODELS


@pytest.fixture
def run(toy_config, tmp_path):
    """Return a function that trains with learning rate 0, so that weights stay unchanged."""

    def start(name="run", *, epochs=1, **how):
        hook = {
            "type": "PretrainedWeightsHook",
            "module": "backbone",
            "checkpoint": str(tmp_path / "part.pth"),
            "url": "https://example.org/part",
        }
        still = {"optim_wrapper.optimizer.lr": 0.0, "optim_wrapper.optimizer.weight_decay": 0.0}
        cfg = toy_config(name, custom_hooks=[hook], param_scheduler=None, **still)
        cfg.train_cfg.max_epochs = epochs
        return train(cfg, **how).bare_model

    return start


@pytest.fixture
def part(toy_config, tmp_path):
    """Save weights of the toy's backbone, all 0.25, and return them."""
    model = MODELS.build(toy_config().model)
    weights = {key: torch.full_like(v, 0.25) for key, v in model.backbone.state_dict().items()}
    save_checkpoint({"model": weights}, tmp_path / "part.pth")
    return weights


def test_the_part_is_initialized_from_the_file(run, part):
    found = run().backbone.state_dict()
    assert all(torch.equal(found[key], value) for key, value in part.items())


def test_a_resumed_training_does_not_need_the_file(run, part, tmp_path):
    run()
    (tmp_path / "part.pth").unlink()
    found = run(resume=True, epochs=2).backbone.state_dict()
    assert all(torch.equal(found[key], value) for key, value in part.items())


def test_load_from_takes_precedence(run, part, toy_config, tmp_path):
    whole = MODELS.build(toy_config().model).state_dict()
    save_checkpoint({"state_dict": dict(whole)}, tmp_path / "whole.pth")
    found = run(load_from=tmp_path / "whole.pth").state_dict()
    assert all(torch.equal(found[key], value) for key, value in whole.items())


def test_a_missing_file_names_its_url(run):
    with pytest.raises(CheckpointError, match=r"part\.pth do not exist.*example\.org/part"):
        run()


def test_weights_that_do_not_match_are_rejected(run, part, tmp_path):
    save_checkpoint({"model": {"weight": part["weight"]}}, tmp_path / "part.pth")
    with pytest.raises(CheckpointMismatchError, match="1 missing"):
        run()


def test_several_parts_are_initialized_from_one_file(toy_config, tmp_path):
    cfg = toy_config()
    model = MODELS.build(cfg.model)
    names = [name for name, child in model.named_children() if child.state_dict()][:2]
    weights = {
        f"{name}.{key}": torch.full_like(value, 0.5)
        for name in names
        for key, value in model.get_submodule(name).state_dict().items()
    }
    save_checkpoint({"model": weights}, tmp_path / "parts.pth")
    hook = PretrainedWeightsHook(module=names, checkpoint=str(tmp_path / "parts.pth"))
    runner = SimpleNamespace(_has_loaded=False, bare_model=model, logger=logging.getLogger("test"))
    hook.before_train(runner)
    state = model.state_dict()
    assert weights
    assert all(torch.equal(state[key], value) for key, value in weights.items())
