import torch

from vgtoolbox.checkpoint.layouts.beit3 import BEIT3_ROWS, fuse_qkv, split_qkv
from vgtoolbox.checkpoint.rename import RenameTable

PREFIX = "backbone.blocks.0.attention."


def _split_state():
    state = {
        f"{PREFIX}{name}.{side}.weight": torch.full((2, 2), float(place))
        for place, name in enumerate("qkv")
        for side in ("vision", "text")
    }
    return state | {"backbone.norm.vision.weight": torch.ones(2)}


def test_queries_keys_and_values_are_stacked_in_this_order():
    fused = fuse_qkv(_split_state())
    assert set(fused) == {
        f"{PREFIX}qkv.vision.weight",
        f"{PREFIX}qkv.text.weight",
        "backbone.norm.vision.weight",
    }
    assert fused[f"{PREFIX}qkv.text.weight"][:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_splitting_undoes_fusing():
    state = _split_state()
    back = split_qkv(fuse_qkv(state))
    assert set(back) == set(state)
    assert all(torch.equal(back[key], state[key]) for key in state)


def test_an_incomplete_trio_keeps_its_names():
    state = _split_state()
    del state[f"{PREFIX}k.text.weight"]
    fused = fuse_qkv(state)
    assert {key for key in fused if ".text." in key} == {
        f"{PREFIX}q.text.weight",
        f"{PREFIX}v.text.weight",
    }
    assert f"{PREFIX}qkv.vision.weight" in fused


def test_vision_is_way_a_and_text_way_b():
    table = RenameTable(BEIT3_ROWS)
    layer = "beit3.encoder.layers.7."
    assert table.to_ours(layer + "ffn.B.fc1.bias") == "backbone.blocks.7.ffn.text.fc1.bias"
    assert (
        table.to_ours(layer + "ffn.A.ffn_layernorm.weight")
        == "backbone.blocks.7.ffn.vision.norm.weight"
    )
    assert table.to_ours("beit3.encoder.embed_positions.A.weight") == (
        "backbone.vision_positions.weight"
    )


def test_names_of_the_release_fill_the_whole_backbone(model):
    table = RenameTable(BEIT3_ROWS)
    names = {f"backbone.{key}": value for key, value in model.backbone.state_dict().items()}
    published = {table.to_published(key) for key in split_qkv(names)}
    assert None not in published
    assert {table.to_ours(key) for key in published} == set(split_qkv(names))
