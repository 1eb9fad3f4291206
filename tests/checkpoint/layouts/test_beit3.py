import pytest
import torch
from torch.nn import functional as F

from vgtoolbox.checkpoint import CheckpointMismatchError, load_state_dict_strict
from vgtoolbox.checkpoint.layouts import beit3, recognize_export_layout, recognize_layout
from vgtoolbox.checkpoint.layouts.beit3 import BEIT3_ROWS, fuse_qkv, split_qkv
from vgtoolbox.checkpoint.rename import RenameTable
from vgtoolbox.models.backbones import BEiT3

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


def test_incomplete_qkv_keep_their_names():
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


def test_published_names_cover_the_whole_backbone(model):
    table = RenameTable(BEIT3_ROWS)
    names = {f"backbone.{key}": value for key, value in model.backbone.state_dict().items()}
    published = {table.to_published(key) for key in split_qkv(names)}
    assert None not in published
    assert {table.to_ours(key) for key in published} == set(split_qkv(names))


class TestPretrained:
    """Pretrained file that training starts from: the encoder, and possibly its heads."""

    @pytest.fixture
    def encoder(self):
        torch.manual_seed(0)
        return BEiT3(
            embed_dim=8,
            depth=1,
            num_heads=2,
            ffn_dim=8,
            image_size=40,
            patch_size=8,
            vocab_size=9,
            num_text_positions=7,
        )

    @pytest.fixture
    def pretrained(self, encoder):
        """Keys and shapes of a release for images of 3 x 3 patches, with heads."""
        state = beit3.LAYOUT.to_published(encoder.state_dict())
        state["beit3.encoder.embed_positions.A.weight"] = torch.randn(3 + 9, 8)
        heads = ("mim_head.weight", "mlm_head.bias", "beit3.vision_embed.mask_token")
        return state | dict.fromkeys(heads, torch.ones(1))

    def test_round_trip_is_the_identity(self, encoder):
        ours = encoder.state_dict()
        back = beit3.LAYOUT.to_ours(beit3.LAYOUT.to_published(ours))
        assert back.keys() == ours.keys()
        assert all(torch.equal(back[key], ours[key]) for key in ours)

    def test_is_recognized_by_its_keys(self, encoder, pretrained):
        assert recognize_layout(pretrained) is beit3.LAYOUT
        assert recognize_layout(encoder.state_dict()) is None
        assert recognize_export_layout(encoder.state_dict()) is beit3.LAYOUT

    def test_loads_completely_into_the_encoder(self, encoder, pretrained):
        report = load_state_dict_strict(encoder, pretrained)
        assert report.complete
        assert report.layout == beit3.LAYOUT.name
        key = "beit3.encoder.layers.0.self_attn.v_proj.B.weight"
        assert torch.equal(encoder.blocks[0].attention.qkv.text.weight[16:], pretrained[key])

    def test_positions_are_resized_to_the_grid_of_the_encoder(self, encoder, pretrained):
        table = pretrained["beit3.encoder.embed_positions.A.weight"]
        load_state_dict_strict(encoder, pretrained)
        found = encoder.vision_positions.weight.detach()
        assert torch.equal(found[:3], table[:3])
        # Row-major, as an image of the table's channels resized.
        image = table[3:].reshape(3, 3, 8).permute(2, 0, 1)
        resized = F.interpolate(image[None], (5, 5), mode="bicubic", align_corners=False)[0]
        for row, column in ((0, 0), (1, 3), (4, 2)):
            torch.testing.assert_close(found[3 + 5 * row + column], resized[:, row, column])

    def test_a_grid_of_14_by_14_is_resized_to_20_by_20(self):
        table = torch.arange(199.0)[:, None].repeat(1, 2)
        resized = beit3.resize_positions(table, (20, 20))
        assert resized.shape == (403, 2)
        assert torch.equal(resized[:3], table[:3])
        # Away from the edges 10 of the new rows span 7 of the old ones, 14 apart each.
        column = resized[3:, 0].reshape(20, 20)[:, 10]
        torch.testing.assert_close(column[15] - column[5], torch.tensor(7.0 * 14))
        assert beit3.resize_positions(table, (14, 14)) is table

    def test_half_precision_is_resized_in_single_precision(self):
        table = torch.randn(3 + 16, 2)
        half = beit3.resize_positions(table.half(), (6, 6))
        assert half.dtype == torch.float16
        single = beit3.resize_positions(table.half().float(), (6, 6))
        assert torch.equal(half, single.half())

    def test_loading_into_a_whole_model_reports_missing_parts(self, model, ours):
        backbone = {
            key.removeprefix("backbone."): value
            for key, value in ours.items()
            if key.startswith("backbone.")
        }
        with pytest.raises(CheckpointMismatchError, match="only backbone of the"):
            load_state_dict_strict(model, beit3.LAYOUT.to_published(backbone))

    def test_another_width_is_mis_shaped(self, encoder, pretrained):
        pretrained["beit3.text_embed.weight"] = torch.zeros(9, 16)
        with pytest.raises(CheckpointMismatchError, match=r"1 mis-shaped\s+token_embed\.weight"):
            load_state_dict_strict(encoder, pretrained)

    def test_unknown_key_of_the_encoder(self, encoder, pretrained):
        pretrained["beit3.encoder.relative_position.weight"] = torch.zeros(1)
        with pytest.raises(ValueError, match=r"relative_position\.weight is not a key of the"):
            beit3.LAYOUT.to_ours(pretrained, encoder)
