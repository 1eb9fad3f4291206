"""Weights inside nested dictionaries, and the choice between several."""

import warnings
from argparse import Namespace
from collections import OrderedDict

import pytest
import torch

from vgtoolbox.checkpoint import CheckpointError, load_checkpoint, save_checkpoint


def weights(value=1.0):
    return OrderedDict({"a.weight": torch.full((2,), value), "b": torch.ones(1)})


def load(tmp_path, content, choice=""):
    path = tmp_path / "x.pth"
    torch.save(content, path)
    return load_checkpoint(f"{path}{choice}")


@pytest.mark.parametrize("name", ["state_dict", "model", "module", "net", "params", "weights"])
@pytest.mark.parametrize("inner", ["", "state_dict", "model"])
def test_weights_are_found_under_their_usual_names(tmp_path, name, inner):
    content = {inner: weights()} if inner else weights()
    loaded = load(tmp_path, {name: content, "epoch": 3, "args": Namespace(lr=1)})
    assert loaded["state_dict"].keys() == weights().keys()
    assert loaded["epoch"] == 3
    assert loaded["args"] == {"lr": 1}


@pytest.mark.parametrize("name", ["ema", "ema_state_dict", "model_ema", "grounder_v2"])
def test_the_only_weights_of_a_file_are_loaded_under_any_name(tmp_path, name):
    optimizer = {"state": {0: {"step": torch.zeros(1)}}, "param_groups": []}
    loaded = load(tmp_path, {name: weights(), "optimizer": optimizer, "gradients": weights()})
    assert loaded["state_dict"].keys() == weights().keys()


@pytest.mark.parametrize("averaged", ["ema", "ema_state_dict", "model_ema", "params_ema"])
def test_trained_weights_come_before_averaged_ones_and_it_is_said(tmp_path, averaged):
    content = {averaged: weights(2.0), "model": weights(1.0)}
    with pytest.warns(UserWarning, match=rf"x\.pth: the weights 'model' are loaded.*{averaged}"):
        loaded = load(tmp_path, content)
    assert loaded["state_dict"]["a.weight"][0] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = load(tmp_path, content, f"#{averaged}")
    assert chosen["state_dict"]["a.weight"][0] == 2


def test_a_choice_may_be_nested(tmp_path):
    content = {"weights": {"ema": {"model": weights(2.0)}, "model": weights(1.0)}}
    assert load(tmp_path, content, "#weights.ema.model")["state_dict"]["a.weight"][0] == 2
    with pytest.raises(CheckpointError, match=r"has no weights 'other'; it has: weights\.ema"):
        load(tmp_path, content, "#other")


@pytest.mark.parametrize(
    "names", [("state_dict", "model"), ("generator", "discriminator"), ("net", "params")]
)
def test_several_candidates_are_listed_with_the_next_step(tmp_path, names):
    with pytest.raises(
        CheckpointError, match=rf"several weights: .*{names[1]}.*choose one.*\.pth#"
    ):
        load(tmp_path, {name: weights() for name in names})
    loaded = load(tmp_path, {name: weights() for name in names}, f"#{names[1]}")
    assert loaded["state_dict"].keys() == weights().keys()


def test_flat_names_of_trained_and_averaged_weights_are_separated(tmp_path):
    content = {f"model.{key}": value for key, value in weights(1.0).items()}
    content |= {f"ema.{key}": value for key, value in weights(2.0).items()}
    with pytest.warns(UserWarning, match="the weights 'model' are loaded"):
        assert load(tmp_path, content)["state_dict"]["a.weight"][0] == 1
    assert load(tmp_path, {"state_dict": content}, "#ema")["state_dict"]["a.weight"][0] == 2


def test_numbers_next_to_the_weights_are_dropped(tmp_path):
    loaded = load(tmp_path, {**weights(), "epoch": 3, "best": 0.5, "name": "x", "nothing": None})
    assert loaded["state_dict"].keys() == weights().keys()


def test_our_own_checkpoints_take_their_state_dict_without_a_word(tmp_path):
    path = tmp_path / "epoch_1.pth"
    content = {"state_dict": weights(1.0), "ema_state_dict": weights(2.0), "gradients": weights()}
    save_checkpoint({**content, "meta": {"vgtoolbox_version": "0.2.0"}}, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_checkpoint(path)
    assert loaded["state_dict"]["a.weight"][0] == 1
    assert loaded["ema_state_dict"]["a.weight"][0] == 2


def test_a_dictionary_whose_methods_are_replaced_is_read(tmp_path):
    class Hidden:
        def __reduce__(self):
            attributes = dict.fromkeys(("items", "keys", "values", "get"), "no function")
            return OrderedDict, (), attributes, None, iter(weights().items())

    loaded = load(tmp_path, {"state_dict": Hidden()})
    assert type(loaded["state_dict"]) is dict
    assert loaded["state_dict"]["a.weight"][0] == 1


def test_a_parameter_whose_methods_are_replaced_is_read(tmp_path):
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.detach = parameter.shape_ = "no function"
    assert type(load(tmp_path, {"w": parameter})["state_dict"]["w"]) is torch.Tensor


def test_containers_without_end_are_refused(tmp_path):
    circle: list = []
    circle.append(circle)
    deep: list = []
    for _ in range(300):
        deep = [deep]
    shared: list = [0] * 100
    for _ in range(40):
        shared = [shared, shared]
    for bad in (circle, deep, shared):
        with pytest.raises(CheckpointError, match=r"x\.pth is (not a checkpoint|truncated)"):
            load(tmp_path, {"state_dict": weights(), "meta": bad})


@pytest.mark.parametrize("content", [[1, 2], 5, "text", {}, {1: 2}, {"a": [torch.ones(1)]}])
def test_files_without_weights_say_so(tmp_path, content):
    with pytest.raises(CheckpointError, match=r"x\.pth (must contain a dictionary|has no weights)"):
        load(tmp_path, content)


def test_keys_must_be_text(tmp_path):
    with pytest.raises(CheckpointError, match="has no weights"):
        load(tmp_path, {0: torch.ones(1), "a": torch.ones(1)})
