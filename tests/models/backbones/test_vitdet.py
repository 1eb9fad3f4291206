import pytest
import torch
from transformers import VitDetConfig, VitDetModel

from vgtoolbox.checkpoint.rename import RenameTable
from vgtoolbox.models.backbones import ViTDet

SMALL = {
    "embed_dim": 16,
    "depth": 3,
    "num_heads": 2,
    "patch_size": 4,
    "window_size": 3,
    "global_blocks": (2,),
    "position_grid_size": 3,
    "relative_grid_size": 4,
    "drop_path_rate": 0.0,
}
# transformers' names of the same tensors.
THEIRS = RenameTable(
    [
        ("embeddings.position_embeddings", "position_embed"),
        ("embeddings.projection.{rest}", "patch_embed.{rest}"),
        (
            "encoder.layer.{i}.attention.rel_pos_h",
            "blocks.{i}.attention.relative_position.rows",
        ),
        (
            "encoder.layer.{i}.attention.rel_pos_w",
            "blocks.{i}.attention.relative_position.columns",
        ),
        ("encoder.layer.{i}.{rest}", "blocks.{i}.{rest}"),
    ]
)


def _build(**changes):
    torch.manual_seed(0)
    model = ViTDet(**{**SMALL, **changes}).eval()
    for name, parameter in model.named_parameters():  # tables of zeros would have no effect
        if "relative" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.fixture(scope="module")
def pair():
    """Return our model and that of transformers with the same weights."""
    config = VitDetConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=16,
        pretrain_image_size=12,
        patch_size=4,
        window_block_indices=[0, 1],
        window_size=3,
        use_relative_position_embeddings=True,
        dropout_prob=0.0,
        layer_norm_eps=1e-6,
    )
    theirs, ours = VitDetModel(config).eval(), _build()
    state = {THEIRS.to_published(key): value for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    return ours, theirs


@pytest.mark.parametrize(
    "size",
    [(24, 24), (16, 16), (12, 12), (24, 36), (20, 28), (8, 8)],
    ids=["tiled", "padded", "as pretrained", "wide", "wide and padded", "below a window"],
)
def test_agrees_with_transformers_for_any_image_size(pair, size):
    ours, theirs = pair
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = theirs(images).last_hidden_state.permute(0, 2, 3, 1)
        found = ours(images)
    assert found.shape == (2, size[0] // 4, size[1] // 4, 16)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("blocks", [(), (2,), (0, 1)], ids=["none", "global", "windowed"])
def test_words_are_read_only_in_the_chosen_blocks(blocks):
    model = _build(text_blocks=blocks, text_injector={"num_heads": 2, "bottleneck": 4})
    assert [i for i, block in enumerate(model.blocks) if block.text_injector] == list(blocks)
    images, padding = torch.randn(2, 3, 24, 24), torch.zeros(2, 5, dtype=torch.bool)
    text = torch.randn(2, 5, 16)
    with torch.no_grad():
        one, other = (model(images, words, padding) for words in (text, text.flip(0)))
    assert torch.equal(one, other) == (not blocks)


def test_missing_text_raises():
    model = _build(text_blocks=(2,), text_injector={"num_heads": 2})
    with pytest.raises(ValueError, match=r"text must be given .*, got None"):
        model(torch.randn(1, 3, 12, 12))


def test_a_sample_does_not_depend_on_its_batch():
    model = _build()
    images = torch.randn(3, 3, 20, 24)
    with torch.no_grad():
        torch.testing.assert_close(model(images)[1:2], model(images[1:2]))


def test_every_weight_receives_gradients():
    model = _build(text_blocks=(2,), text_injector={"num_heads": 2}).train()
    padding = torch.zeros(2, 3, dtype=torch.bool)
    model(torch.randn(2, 3, 24, 24), torch.randn(2, 3, 16), padding).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_sine_positions_of_neighbors_are_more_similar_than_of_distant_patches():
    table = ViTDet(**SMALL, sine_position_scale=2.0).position_embed[0, 1:].view(3, 3, 16)
    near = (table[0, 0] - table[0, 1]).norm()
    far = (table[0, 0] - table[2, 2]).norm()
    assert near < far


def test_images_that_patches_do_not_tile_raise():
    with pytest.raises(ValueError, match="multiples of patch_size=4, got 30 x 24"):
        _build()(torch.randn(1, 3, 30, 24))


@pytest.mark.parametrize("name", ["global_blocks", "text_blocks"])
def test_blocks_that_do_not_exist_raise(name):
    with pytest.raises(ValueError, match=rf"{name} must be between 0 and 2, got \[3, 11\]"):
        ViTDet(**{**SMALL, name: (0, 3, 11)})


def test_cosine_filters_initialize_the_patch_embedding():
    weight = ViTDet(**SMALL, cosine_patch_scale=3.0).patch_embed.weight
    assert weight[0].std().item() == pytest.approx(0.0, abs=1e-6)  # brightness comes first
    gram = weight.flatten(1) @ weight.flatten(1).t()
    off_diagonal = gram - gram.diag().diag()
    assert off_diagonal.abs().max() < 1e-4 * gram.diag().max()
