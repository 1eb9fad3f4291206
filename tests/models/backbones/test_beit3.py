import pytest
import torch
from torch import nn

from vgtoolbox.models.backbones import BEiT3
from vgtoolbox.models.backbones.beit3 import POSITION_OFFSET, BEiT3Block, SubLNFeedForward
from vgtoolbox.registry import MODELS

SMALL = {
    "embed_dim": 16,
    "depth": 3,
    "num_heads": 2,
    "ffn_dim": 24,
    "image_size": 32,
    "patch_size": 8,
    "vocab_size": 30,
    "num_text_positions": 10,
    "drop_path_rate": 0.0,
}
LENGTHS = (6, 3)


def _build(**changes):
    torch.manual_seed(0)
    backbone = BEiT3(**(SMALL | changes))
    # The initial weights are so small that tokens would hardly differ from their embeddings.
    for parameter in backbone.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.3)
    return backbone.eval()


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 32, 32, generator=generator)
    token_ids = torch.randint(4, 30, (2, 6), generator=generator)
    padding = torch.arange(6) >= torch.tensor(LENGTHS)[:, None]
    return images, token_ids.masked_fill(padding, 1), padding


def _assert_same(ours, expected, *, text=True):
    torch.testing.assert_close(ours.image, expected.image, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.cls, expected.cls, atol=1e-5, rtol=1e-4)
    if text:
        torch.testing.assert_close(ours.text, expected.text, atol=1e-5, rtol=1e-4)


def test_output_shapes(inputs):
    features = _build()(*inputs)
    assert features.image.shape == (2, 16, 16)
    assert features.text.shape == (2, 6, 16)
    assert features.cls.shape == (2, 16)
    assert features.grid == (4, 4)


def test_token_ids_of_padding_do_not_matter(inputs):
    images, token_ids, padding = inputs
    backbone = _build()
    clean = backbone(images, token_ids, padding)
    noisy = backbone(images, token_ids.masked_fill(padding, 7), padding)
    _assert_same(noisy, clean)
    read = backbone(images, token_ids.masked_fill(~padding, 7), padding)
    assert not torch.allclose(read.image, clean.image, atol=1e-3)


def test_amount_of_padding_does_not_matter(inputs):
    images, token_ids, padding = inputs
    backbone = _build()
    features = backbone(images, token_ids, padding)
    longer = backbone(
        images,
        nn.functional.pad(token_ids, (0, 2), value=1),
        nn.functional.pad(padding, (0, 2), value=True),
    )
    _assert_same(longer, features, text=False)
    for sample, length in enumerate(LENGTHS):
        torch.testing.assert_close(
            longer.text[sample, :length], features.text[sample, :length], atol=1e-5, rtol=1e-4
        )


def test_features_do_not_depend_on_the_batch(inputs):
    backbone = _build()
    together = backbone(*inputs)
    for sample in range(2):
        alone = backbone(*(tensor[sample : sample + 1] for tensor in inputs))
        for name in ("image", "text", "cls"):
            torch.testing.assert_close(
                getattr(alone, name)[0], getattr(together, name)[sample], atol=1e-5, rtol=1e-4
            )


def test_each_modality_attends_to_the_other(inputs):
    images, token_ids, padding = inputs
    backbone = _build()
    features = backbone(images, token_ids, padding)
    other_text = backbone(images, token_ids.flip(1), torch.zeros_like(padding))
    assert not torch.allclose(other_text.image, features.image, atol=1e-3)
    other_image = backbone(images.flip(3), token_ids, padding)
    assert not torch.allclose(other_image.text[:, :3], features.text[:, :3], atol=1e-3)


def test_patches_are_row_major_after_cls(inputs):
    images, token_ids, padding = inputs
    backbone = _build(depth=0)  # only embeddings
    before = backbone(images, token_ids, padding)
    images = images.clone()
    images[:, :, 8:16, 16:24] += 1  # row 1, column 2 of a 4 x 4 grid
    after = backbone(images, token_ids, padding)
    changed = (after.image != before.image).any(2)
    assert changed.sum(1).tolist() == [1, 1]
    assert changed[:, 1 * 4 + 2].all()
    assert torch.equal(after.cls, before.cls)


def test_the_first_two_rows_of_the_position_tables_are_never_read(inputs):
    backbone = _build()
    features = backbone(*inputs)
    (features.image.square().sum() + features.text.square().sum()).backward()
    for table in (backbone.vision_positions, backbone.text_positions):
        used = table.weight.grad.abs().sum(1) > 0
        assert not used[:POSITION_OFFSET].any()
        assert used[POSITION_OFFSET : POSITION_OFFSET + 6].all()
    assert not backbone.text_positions.weight.grad[POSITION_OFFSET + 6 :].any()
    assert backbone.vision_positions.num_embeddings == POSITION_OFFSET + 1 + 16


def test_order_of_words_matters(inputs):
    images, token_ids, _ = inputs
    nothing_padded = torch.zeros(2, 6, dtype=torch.bool)
    backbone = _build()
    features = backbone(images, token_ids, nothing_padded)
    swapped = backbone(images, token_ids[:, [1, 0, 2, 3, 4, 5]], nothing_padded)
    assert not torch.allclose(swapped.cls, features.cls, atol=1e-4)


def test_output_is_normalized(inputs):
    features = _build()(*inputs)
    for tokens in (features.image, features.text, features.cls[:, None]):
        torch.testing.assert_close(
            tokens.mean(2), torch.zeros_like(tokens[..., 0]), atol=1e-5, rtol=0
        )


class TestDropPath:
    def test_rate_grows_linearly_with_depth(self):
        rates = [block.drop_path.drop_prob for block in _build(drop_path_rate=0.2).blocks]
        assert rates == pytest.approx([0.0, 0.1, 0.2])

    def test_it_acts_only_in_training(self, inputs):
        backbone = _build(drop_path_rate=0.9)
        torch.manual_seed(0)
        assert torch.equal(backbone(*inputs).image, backbone(*inputs).image)
        backbone.train()
        assert not torch.equal(backbone(*inputs).image, backbone(*inputs).image)

    def test_rate_zero_is_the_same_in_training(self, inputs):
        backbone = _build()
        expected = backbone(*inputs)
        _assert_same(backbone.train()(*inputs), expected)

    def test_both_modalities_of_a_sample_are_dropped_together(self):
        torch.manual_seed(0)
        block = BEiT3Block(16, 2, 24, drop_path=0.5).train()
        for ffn in (block.ffn.vision, block.ffn.text):
            nn.init.zeros_(ffn.fc2.weight)  # so that attention is the only branch
            nn.init.zeros_(ffn.fc2.bias)
        vision, text = torch.randn(64, 5, 16), torch.randn(64, 3, 16)
        keys = torch.ones(64, 1, 1, 8, dtype=torch.bool)
        new_vision, new_text = block(vision, text, keys)
        kept = (new_vision != vision).flatten(1).any(1)
        assert torch.equal(kept, (new_text != text).flatten(1).any(1))
        assert 10 < kept.sum() < 54
        # Kept branches are scaled up, so that the expectation does not change.
        expected, _ = block.eval()(vision, text, keys)
        torch.testing.assert_close((new_vision - vision)[kept], 2 * (expected - vision)[kept])


def test_feed_forward_is_normalized_between_its_layers():
    ffn, x = SubLNFeedForward(4, 8), torch.randn(1, 3, 4)
    hidden = nn.functional.gelu(ffn.fc1(x))
    torch.testing.assert_close(ffn(x), ffn.fc2(nn.functional.layer_norm(hidden, (8,))))


@pytest.mark.parametrize(
    ("options", "linear_std", "table_std"),
    [({}, 0.02, 0.02), ({"init_std": 0.06, "embed_init_std": 0.5}, 0.06, 0.5)],
)
def test_initial_weights(options, linear_std, table_std):
    torch.manual_seed(0)
    backbone = BEiT3(**SMALL, **options)
    for table in (backbone.token_embed, backbone.vision_positions, backbone.text_positions):
        assert table.weight.std().item() == pytest.approx(table_std, rel=0.2)
    for layer in (backbone.patch_embed, backbone.blocks[0].attention.qkv.text):
        assert layer.weight.std().item() == pytest.approx(linear_std, rel=0.2)
        assert (layer.bias == 0).all()
    assert (backbone.blocks[0].ffn.vision.norm.weight == 1).all()
    assert backbone.cls_token.abs().sum() > 0


class TestErrors:
    def test_an_image_of_another_size(self, inputs):
        _, token_ids, padding = inputs
        with pytest.raises(ValueError, match=r"must have 4 x 4 patches .*, got 5 x 4; resize them"):
            _build()(torch.randn(2, 3, 40, 32), token_ids, padding)

    def test_too_many_tokens(self, inputs):
        token_ids = torch.ones(2, 9, dtype=torch.long)
        with pytest.raises(ValueError, match=r"must have at most 8 tokens .*, got 9; lower"):
            _build()(inputs[0], token_ids, token_ids == 0)

    def test_the_largest_number_of_tokens_is_accepted(self, inputs):
        token_ids = torch.ones(2, 8, dtype=torch.long)
        assert _build()(inputs[0], token_ids, token_ids == 0).text.shape == (2, 8, 16)

    def test_an_image_size_that_is_not_a_multiple_of_the_patch_size(self):
        with pytest.raises(ValueError, match="must be a multiple of patch_size=8, got 30"):
            BEiT3(**(SMALL | {"image_size": 30}))


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        # The published counts without the mask token, which is not used.
        ({}, 221_144_064 - 768),
        (
            {"embed_dim": 1024, "depth": 24, "num_heads": 16, "ffn_dim": 4096},
            672_911_360 - 1024,
        ),
    ],
)
def test_published_sizes(size, parameters):
    with torch.device("meta"):
        backbone = MODELS.build({"type": "BEiT3", "drop_path_rate": 0.0, **size})
    assert sum(parameter.numel() for parameter in backbone.parameters()) == parameters
