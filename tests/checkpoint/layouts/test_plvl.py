from argparse import Namespace
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from vgtoolbox.checkpoint import (
    CheckpointMismatchError,
    load_checkpoint,
    load_state_dict_strict,
)
from vgtoolbox.checkpoint.layouts import plvl, recognize_export_layout, recognize_layout
from vgtoolbox.registry import MODELS

TINY = Path(__file__).resolve().parents[3] / "configs" / "shapes" / "PLVL-tiny-shapes.py"
BODY = "visumodel.backbone.0.body."
# Tensors that the published model stores and never reads.
UNUSED = (
    "textmodel.bert.pooler.dense.weight",
    "mask_head.layers.0.weight",
    "mask_cnn.bias",
    BODY + "prompt_norms.0.weight",
)


@pytest.fixture(scope="module")
def plvl_model():
    torch.manual_seed(0)
    config = Config.fromfile(TINY).model
    config.backbone.text_blocks = (1, 3)  # the first block does not read words, as published
    return MODELS.build(config)


@pytest.fixture
def state(plvl_model):
    return {key: value.clone() for key, value in plvl_model.state_dict().items()}


@pytest.fixture
def stored(state):
    """The published names, unused tensors included."""
    return plvl.LAYOUT.to_published(state) | {key: torch.zeros(2) for key in UNUSED}


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        (BODY + "pos_embed", "backbone.position_embed"),
        (BODY + "blocks.4.attn.qkv.bias", "backbone.blocks.4.attention.qkv.bias"),
        (
            BODY + "blocks.5.cross_attn.in_proj_weight",
            "backbone.blocks.5.text_injector.attention.in_proj_weight",
        ),
        (
            BODY + "prompt_blocks.11.up_project.bias",
            "backbone.blocks.11.text_injector.up.bias",
        ),
        (BODY + "prompt_norms.8.weight", "backbone.blocks.8.text_injector.norm.weight"),
        (
            "textmodel.bert.encoder.layer.3.output.LayerNorm.bias",
            "text_encoder.bert.encoder.layer.3.output.LayerNorm.bias",
        ),
        ("decoder.decoder.layers.2.multihead_attn.in_proj_bias",) * 2,
        ("visu_proj.weight", "image_proj.weight"),
        ("bbox_embed.conv2_seg.1.running_var", "mask_head.patches.1.running_var"),
        ("bbox_embed.conv1_ctr.0.weight", "box_head.target_trunk.0.weight"),
        ("bbox_embed.conv3_size.bias", "box_head.size.1.bias"),
    ],
)
def test_renamed_keys(published, ours):
    ours = ours.replace("decoder.decoder.", "decoder.")
    assert plvl.TABLE.to_ours(published) == ours
    assert plvl.TABLE.to_published(ours) == published


def test_round_trip_is_the_identity(plvl_model, state, stored):
    back = plvl.LAYOUT.to_ours(stored, plvl_model)
    assert set(back) == set(state)
    assert all(torch.equal(back[key], value) for key, value in state.items())


def test_a_norm_without_attention_is_unused(stored):
    read = [key for key in stored if "prompt_norms" in key and not plvl.is_unused(key, stored)]
    blocks = {key.split(".blocks.")[1].split(".")[0] for key in stored if "cross_attn" in key}
    assert {key.split("prompt_norms.")[1].split(".")[0] for key in read} == blocks
    assert all(plvl.is_unused(key, stored) for key in UNUSED)


def test_a_published_training_checkpoint_with_its_command_line(plvl_model, stored, tmp_path):
    path = tmp_path / "checkpoint.pth"
    arguments = Namespace(lr=2.5e-5, ca_block_indexes=[2, 5, 8, 11], dataset="unc")
    torch.save(
        {"model": stored, "epoch": 149, "args": arguments, "val_accu": 0.9, "optimizer": {}}, path
    )
    content = load_checkpoint(path)
    assert content["args"]["ca_block_indexes"] == [2, 5, 8, 11]
    report = load_state_dict_strict(plvl_model, content["state_dict"], source=path.name)
    assert report.complete
    assert report.layout == plvl.LAYOUT.name


@pytest.mark.parametrize(
    ("absent", "ours"),
    [
        ("bbox_embed.conv3_ctr.bias", "box_head.center.1.bias"),
        ("text_proj.weight", "text_proj.weight"),
    ],
)
def test_a_missing_tensor_is_reported(plvl_model, stored, absent, ours):
    del stored[absent]
    with pytest.raises(CheckpointMismatchError) as error:
        load_state_dict_strict(plvl_model, stored)
    assert error.value.report.missing == (ours,)


def test_unknown_keys(state, stored, plvl_model):
    with pytest.raises(
        ValueError, match=r"bbox_embed\.conv4\.bias is not a key of the published PLVL"
    ):
        plvl.LAYOUT.to_ours({**stored, "bbox_embed.conv4.bias": torch.zeros(1)}, plvl_model)
    with pytest.raises(ValueError, match=r"neck\.bias has no counterpart in the published PLVL"):
        plvl.LAYOUT.to_published({**state, "neck.bias": torch.zeros(1)})


def test_recognized_by_its_keys(state, stored):
    assert recognize_layout(stored) is plvl.LAYOUT
    assert recognize_export_layout(state) is plvl.LAYOUT
    assert recognize_layout(state) is None
