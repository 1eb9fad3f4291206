import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vgtoolbox.engine import load_config
from vgtoolbox.inference import GroundingInferencer, attention_maps
from vgtoolbox.models.layers import TextInjector
from vgtoolbox.webui import PageError, Responder

PLVL = Path(__file__).parents[2] / "configs" / "_base_" / "models" / "plvl_clean.py"
SIZES = {
    "model.channels": 16,
    "model.text_encoder.vocab_size": 128,
    "model.text_encoder.embed_dim": 16,
    "model.text_encoder.num_layers": 1,
    "model.text_encoder.num_heads": 2,
    "model.text_encoder.ffn_dim": 32,
    "model.backbone.embed_dim": 16,
    "model.backbone.depth": 2,
    "model.backbone.num_heads": 2,
    "model.backbone.patch_size": 8,
    "model.backbone.window_size": 2,
    "model.backbone.global_blocks": [1],
    "model.backbone.position_grid_size": 4,
    "model.backbone.relative_grid_size": 4,
    "model.backbone.text_injector.num_heads": 2,
    "model.backbone.text_injector.bottleneck": 4,
    "model.decoder.channels": 16,
    "model.decoder.num_layers": 1,
    "model.decoder.num_heads": 2,
    "model.decoder.ffn_channels": 16,
    "model.box_head.channels": 16,
    "model.mask_head.in_channels": 8,
    "model.mask_head.patch_size": 8,
}


@pytest.fixture(scope="module")
def make_plvl(miniature_config):
    """Return a function that makes a small PLVL with language in the given backbone blocks."""
    loader = load_config(miniature_config).val_dataloader.to_dict()

    def make(text_blocks):
        options = {**SIZES, "model.backbone.text_blocks": text_blocks}
        model = load_config(PLVL, options).model.to_dict()
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the weights are random
            return GroundingInferencer({"model": model, "val_dataloader": loader}, device="cpu")

    return make


@pytest.fixture(scope="module")
def plvl(make_plvl):
    return make_plvl([0, 1])


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((40, 60), (32, 32))]


def maps_of(inferencer, images, *expressions):
    pairs = list(zip(images, expressions, strict=True))
    return attention_maps(inferencer, inferencer.preprocess(pairs))


def test_query_selection_of_instancevg(released_checkpoint, images):
    inferencer = GroundingInferencer(checkpoint=released_checkpoint, device="cpu")
    maps = maps_of(inferencer, images, "two dogs", "two dogs")
    assert [found.shape for found in maps] == [(4, 4), (4, 4)]
    assert not np.allclose(maps[0], maps[1])


class TestInjectionBlocks:
    def test_one_map_for_each_pair(self, plvl, images):
        maps = maps_of(plvl, images, "two dogs", "the red circle")
        assert [found.shape for found in maps] == [(4, 4), (4, 4)]
        assert all((found >= 0).all() and found.max() > 0 for found in maps)
        (alone,) = maps_of(plvl, images[:1], "two dogs")
        np.testing.assert_allclose(alone, maps[0], atol=1e-6)

    def test_is_the_mean_over_blocks_of_the_deviation_from_the_image_mean(self, plvl, images):
        weights_of_blocks = []
        injectors = [m for m in plvl.model.modules() if isinstance(m, TextInjector)]
        hooks = [
            injector.register_forward_pre_hook(
                lambda module, inputs: weights_of_blocks.append(module.attention_weights(*inputs))
            )
            for injector in injectors
        ]
        (found,) = maps_of(plvl, images[:1], "two dogs")
        for hook in hooks:
            hook.remove()
        assert len(weights_of_blocks) == 2
        expected = np.zeros((4, 4))
        for weights in weights_of_blocks:  # (1, T, 4, 4)
            for word in weights[0].numpy():
                expected += np.abs(word - word.mean()) / 2
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_depends_on_the_expression(self, plvl, images):
        one, other = (maps_of(plvl, images[:1], text)[0] for text in ("two dogs", "a circle"))
        assert not np.allclose(one, other)

    def test_does_not_change_the_model(self, plvl, images):
        before = plvl(images[0], "two dogs")
        maps_of(plvl, images[:1], "two dogs")
        assert not any(module._forward_pre_hooks for module in plvl.model.modules())
        assert plvl(images[0], "two dogs") == before

    def test_none_without_language_in_the_backbone(self, make_plvl, images):
        assert maps_of(make_plvl([]), images[:1], "two dogs") is None


def test_page_shows_the_attention_map(make_plvl, images, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(images[0]).save(photo)
    responder = Responder({"early": lambda: make_plvl([1]), "late": lambda: make_plvl([])})
    request = {"text": "two dogs", "score_thr": 0.0, "layers": []}
    plain, heat = (
        responder.respond(photo, **request, model="early", attention=attention).images[0][0]
        for attention in (False, True)
    )
    assert not np.array_equal(plain, heat)
    with pytest.raises(PageError, match="late has no attention map"):
        responder.respond(photo, **request, model="late", attention=True)
    responder.close()
