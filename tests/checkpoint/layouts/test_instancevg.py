import pytest
import torch
from torch import nn

from vgtoolbox.checkpoint import CheckpointMismatchError, load_state_dict_strict
from vgtoolbox.checkpoint.layouts import (
    LAYOUTS,
    instancevg,
    recognize_export_layout,
    recognize_layout,
)

# Tensors that the published model stores and never reads.
UNUSED = (
    "vis_enc.beit3.vision_embed.mask_token",
    "head.query_embedding.weight",
    "head.proj_pixel_level_cons.vis.weight",
    "head.proj_pixel_level_cons.txt.bias",
    "head.query_generation.query_embed.weight",
    "head.decoder_transformer.level_embeds",
    "head.detrloss.criterion.empty_weight",
)


def test_round_trip_is_the_identity(model, ours, published):
    back = instancevg.LAYOUT.to_ours(published, model)
    assert set(back) == set(ours)
    for key, value in ours.items():
        assert torch.equal(back[key], value), key
        assert back[key].dtype == value.dtype


def test_published_names(published):
    assert {
        "vis_enc.beit3.encoder.layers.3.self_attn.k_proj.B.bias",
        "vis_enc.beit3.encoder.layer_norm.A.weight",
        "head.unet_decoder.bn2_2.running_var",
        "head.unet_decoder.conv1_4.weight",
        "head.neck.lateral_convs.3.norm_layer.bias",
        "head.decoder_transformer.decoder.layers.2.attentions.1.sampling_offsets.weight",
        "head.query_generation.T2I_decoder.layers.0.attentions.0.attn.in_proj_weight",
        "head.query_generation.mlp.layers.2.weight",
        "head.nt_embed.layers.1.bias",
    } <= set(published)


@pytest.mark.parametrize(
    ("published_key", "our_key"),
    [
        # The U-Net's stages are numbered by the level that they start from: 4 is the coarsest.
        ("head.unet_decoder.conv1_4.weight", "pixel_decoder.stages.0.0.0.weight"),
        ("head.unet_decoder.bn2_2.bias", "pixel_decoder.stages.2.1.1.bias"),
        ("head.bbox_embed.0.layers.2.bias", "box_head.box_mlp.6.bias"),
        (
            "head.query_generation.T2I_decoder.layers.0.norms.1.weight",
            "query_selector.text_to_image.cross_norm.weight",
        ),
        (
            "head.decoder_transformer.decoder.layers.1.norms.2.bias",
            "decoder.layers.1.ffn.norm.bias",
        ),
        ("head.decoder_transformer.reference_points.weight", "decoder.reference_shift.weight"),
    ],
)
def test_renamed_keys(published_key, our_key):
    assert instancevg.TABLE.to_ours(published_key) == our_key
    assert instancevg.TABLE.to_published(our_key) == published_key


def test_the_heads_of_the_three_layers_are_copies(published):
    for layer in (1, 2):
        copies = [key for key in published if f"_embed.{layer}." in key]
        assert len(copies) == 2 + 6  # a linear layer, and three
        for key in copies:
            original = key.replace(f"_embed.{layer}.", "_embed.0.")
            assert torch.equal(published[key], published[original])


def test_as_many_copies_as_the_decoder_has_layers(ours):
    shallow = {key: value for key, value in ours.items() if not key.startswith("decoder.layers.2")}
    copies = {
        key.split(".")[2] for key in instancevg.LAYOUT.to_published(shallow) if "class_embed" in key
    }
    assert copies == {"0", "1"}


def test_no_two_published_tensors_share_memory(published):
    assert len({value.data_ptr() for value in published.values()}) == len(published)


def test_unused_tensors_are_left_out(model, ours, published):
    stored = published | {key: torch.zeros(1) for key in UNUSED}
    assert set(instancevg.LAYOUT.to_ours(stored, model)) == set(ours)
    assert all(instancevg.is_unused(key) for key in UNUSED)
    assert not any(instancevg.is_unused(key) for key in published)


@pytest.mark.parametrize("head", ["class_embed", "bbox_embed"])
def test_copies_must_not_differ(model, published, head):
    key = next(key for key in published if key.startswith(f"head.{head}.2."))
    published[key] = published[key] + 1
    with pytest.raises(ValueError, match=rf"head\.{head}\.2\..* must equal head\.{head}\.0\."):
        instancevg.LAYOUT.to_ours(published, model)


def test_unknown_published_key(model, published):
    published["head.segmentation.weight"] = torch.zeros(1)
    with pytest.raises(ValueError, match=r"head\.segmentation\.weight is not a key of the"):
        instancevg.LAYOUT.to_ours(published, model)


def test_unknown_key_of_ours(ours):
    with pytest.raises(ValueError, match=r"neck\.scale has no counterpart in the published"):
        instancevg.LAYOUT.to_published({**ours, "neck.scale": torch.zeros(1)})


@pytest.mark.parametrize(
    "absent",
    [
        "vis_enc.beit3.encoder.layers.0.self_attn.k_proj.A.weight",
        "head.class_embed.0.weight",
        "head.neck.fpn2.0.bias",
    ],
)
def test_a_missing_tensor_is_reported(model, published, absent):
    del published[absent]
    with pytest.raises(CheckpointMismatchError) as error:
        load_state_dict_strict(model, published)
    assert len(error.value.report.missing) == 1
    assert error.value.report.layout == instancevg.LAYOUT.name


def test_wrapped_and_published_weights_load(model, published, ours):
    wrapped = {f"module.{key}": value for key, value in published.items()}
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    report = load_state_dict_strict(model, wrapped)
    assert report.complete
    assert all(torch.equal(value, ours[key]) for key, value in model.state_dict().items())


def test_recognized_by_its_keys(ours, published):
    assert recognize_layout(published.keys()) is instancevg.LAYOUT
    assert instancevg.LAYOUT in LAYOUTS
    assert recognize_layout(ours.keys()) is None
    assert recognize_export_layout(ours.keys()) is instancevg.LAYOUT
    assert recognize_export_layout(published.keys()) is None
    assert recognize_layout([]) is None
