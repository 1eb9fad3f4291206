import pytest
import torch
from safetensors.torch import save_file

from vgtoolbox.checkpoint.layouts import llava
from vgtoolbox.models.mllm import LLaVA, PackedBatch, Placeholders
from vgtoolbox.models.mllm.pretrained import load_pretrained

TEXT = {
    "model_type": "llama",
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}
IMAGE = -200


def build(seed=0, text=(), vision=(), **options):
    torch.manual_seed(seed)
    return LLaVA(
        text_config={**TEXT, **dict(text)}, vision_config={**VISION, **dict(vision)}, **options
    ).eval()


@pytest.mark.parametrize(
    ("options", "tokens"),
    [({}, 16), ({"keep_class_token": True}, 17), ({"projector": "linear"}, 16)],
)
@torch.no_grad()
def test_number_and_width_of_image_tokens(options, tokens):
    model = build(**options)
    features = model.encode_images(torch.randn(2, 3, 16, 16))
    assert model.num_image_tokens == tokens
    assert features.tokens.shape == (2, tokens, 16)
    assert features.patches.shape == (2, 16, 16)
    assert features.valid is None


@torch.no_grad()
def test_the_feature_layer_is_an_index_of_hidden_states():
    image = torch.randn(1, 3, 16, 16)
    last, second = (build(feature_layer=i).encode_images(image).patches for i in (-1, -2))
    assert not torch.equal(last, second)
    tower = build().vision_tower
    expected = tower(pixel_values=image, output_hidden_states=True).hidden_states[2][:, 1:]
    torch.testing.assert_close(second, expected)


@torch.no_grad()
def test_padding_has_no_influence():
    model = build()
    valid = torch.zeros(1, 16, 16, dtype=torch.bool)
    valid[:, :8, :12] = True
    image = torch.randn(1, 3, 16, 16)
    other = torch.where(valid[:, None], image, torch.randn(1, 3, 16, 16))
    ids = torch.tensor([[1, *[IMAGE] * 16, 5, 6]])
    results = []
    for each in (image, other):
        features = model.encode_images(each, valid)
        is_image = ids == IMAGE
        keys = torch.ones_like(is_image).masked_scatter(is_image, features.valid)
        states = model.run(
            PackedBatch.from_ids(ids), (Placeholders(IMAGE, features.tokens),), key_valid=keys
        )
        results.append((features, states.last[:, -2:]))
    (first, words), (second, same_words) = results
    assert int(first.valid.sum()) == 2 * 3
    torch.testing.assert_close(first.patches[first.valid], second.patches[first.valid])
    torch.testing.assert_close(words, same_words)
    assert not torch.allclose(first.patches, second.patches)


def published_folders(tmp_path, model, *, vocabulary=40):
    """Save a model as the folders of a LLaVA and of a CLIP with its text tower."""
    state = {f"mllm.adapter.{key}": value.clone() for key, value in model.state_dict().items()}
    clip = llava.CLIP_LAYOUT.to_published(state)
    language = {
        key: value
        for key, value in llava.LAYOUT.to_published(state).items()
        if "vision_tower" not in key
    }
    for key in ("model.embed_tokens.weight", "lm_head.weight"):
        language[key] = language[key][:vocabulary].clone()
    language["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    clip |= {"logit_scale": torch.ones(()), "vision_model.embeddings.position_ids": torch.ones(1)}
    folders = []
    for name, weights in (("llava", language), ("clip", clip)):
        (tmp_path / name).mkdir()
        save_file(weights, tmp_path / name / "model.safetensors")
        folders.append(tmp_path / name)
    return folders


def test_weights_come_from_several_folders(tmp_path):
    source = build(seed=1)
    folders = published_folders(tmp_path, source, vocabulary=38)
    model = build(seed=2)
    load_pretrained(model, folders)
    expected = source.state_dict()
    for key, value in model.state_dict().items():
        rows = 38 if "embed_tokens" in key or "lm_head" in key else None
        assert torch.equal(value[:rows], expected[key][:rows]), key
    head = model.model.get_output_embeddings().weight
    torch.testing.assert_close(head[39], head[:38].mean(0))


def test_a_missing_vision_tower_is_named(tmp_path):
    language, _ = published_folders(tmp_path, build())
    with pytest.raises(ValueError, match=r"set mllm\.pretrained=\[LANGUAGE_MODEL, VISION_TOWER\]"):
        load_pretrained(build(), [language])


def test_a_vision_tower_of_another_size_is_refused(tmp_path):
    folders = published_folders(tmp_path, build(vision={"image_size": 8}))
    with pytest.raises(ValueError, match="position_embedding"):
        load_pretrained(build(), folders)


def test_layouts_are_recognized():
    state = {f"mllm.adapter.{key}": value for key, value in build().state_dict().items()}
    assert llava.LAYOUT.matches(llava.LAYOUT.to_published(state))
    assert llava.CLIP_LAYOUT.matches(llava.CLIP_LAYOUT.to_published(state))
    assert not llava.LAYOUT.matches(llava.CLIP_LAYOUT.to_published(state))


def test_unknown_options_raise():
    with pytest.raises(ValueError, match="projector must be 'linear' or 'mlp2x_gelu'"):
        build(projector="resampler")
