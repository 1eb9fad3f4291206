"""Merged folders of the LISA family, which have no vision tower."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from vgtoolbox.checkpoint import load_checkpoint, load_state_dict_strict
from vgtoolbox.checkpoint.io import CheckpointError
from vgtoolbox.checkpoint.layouts import lisa, llava
from vgtoolbox.registry import MODELS

CONFIG = Path(__file__).parents[3] / "configs" / "shapes" / "UGround-tiny-shapes.py"


def build(seed, pretrained=()):
    config = Config.fromfile(CONFIG)
    config.model.mllm.pretrained = [str(folder) for folder in pretrained]
    # Published weights have Llama's attention without biases.
    config.model.mllm.adapter.text_config.model_type = "llama"
    config.model.mllm.adapter.local_attention = None
    torch.manual_seed(seed)
    return MODELS.build(config.model)


@pytest.fixture
def source():
    return build(1)


@pytest.fixture
def merged(source, tmp_path):
    """Save a merged folder, as published: without a vision tower, with tensors that are unused."""
    state = {k: v.clone() for k, v in lisa.LAYOUT.to_published(source.state_dict()).items()}
    state = {key: value for key, value in state.items() if "vision_tower" not in key}
    state["model.out_mm_projector.0.weight"] = torch.ones(2)
    (tmp_path / "merged").mkdir()
    save_file(state, tmp_path / "merged" / "model.safetensors")
    return tmp_path / "merged"


@pytest.fixture
def clip(source, tmp_path):
    (tmp_path / "clip").mkdir()
    weights = llava.CLIP_LAYOUT.to_published(source.state_dict())
    weights = {key: value.clone() for key, value in weights.items()}
    save_file(weights, tmp_path / "clip" / "model.safetensors")
    return tmp_path / "clip"


def load(model, folder):
    state = load_checkpoint(folder)["state_dict"]
    return load_state_dict_strict(model, state, source=str(folder))


def test_the_vision_tower_comes_from_its_own_folder(source, merged, clip, tmp_path):
    model = build(2, [tmp_path / "absent", clip])
    report = load(model, merged)
    assert report.complete
    assert report.layout == lisa.LAYOUT.name
    expected = source.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("folders", [[], ["absent"]])
def test_a_vision_tower_that_is_nowhere_is_named(merged, folders):
    with pytest.raises(CheckpointError, match=r"mllm\.pretrained must name the folder of the vis"):
        load(build(2, folders), merged)


def test_a_checkpoint_of_ours_needs_no_other_folder(source, tmp_path):
    state = lisa.LAYOUT.to_published(source.state_dict())
    model = build(2)
    report = load_state_dict_strict(model, state)
    assert report.complete


def test_files_of_zero_to_fp32_have_a_prefix(source):
    state = {
        f"base_model.model.{key}": value
        for key, value in lisa.LAYOUT.to_published(source.state_dict()).items()
    }
    assert lisa.LAYOUT.matches(state)
    assert load_state_dict_strict(build(2), state).complete
