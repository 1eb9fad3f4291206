import pytest
import torch

from vgtoolbox.models.layers import cosine_patch_basis, sine_position_encoding
from vgtoolbox.models.mllm import PackedBatch


def parts(model):
    adapter = model.mllm.adapter.model
    vision = adapter.model.vision_tower.embeddings
    return adapter.get_input_embeddings().weight, vision


def test_initialization_of_words_positions_and_edges(build_mllmseg):
    words, vision = parts(build_mllmseg())
    assert words.std().item() == pytest.approx(0.5, rel=0.05)
    places = vision.position_embeddings[0]
    expected = 2 * sine_position_encoding((4, 4), 32, temperature=20.0)
    torch.testing.assert_close(places[1:].detach(), expected)
    assert not places[0].any()  # the class token's
    filters = vision.patch_embeddings.projection.weight.detach()
    torch.testing.assert_close(filters, 4 * cosine_patch_basis(8, 32))


def test_default_initialization_is_that_of_transformers(build_mllmseg):
    defaults = dict.fromkeys(("embed_init_std", "sine_position_scale", "cosine_patch_scale"))
    words, vision = parts(build_mllmseg(mllm={"adapter": defaults}))
    assert words.std().item() == pytest.approx(0.06, rel=0.05)
    assert not vision.position_embeddings.any()


LOCAL = {
    "text_config": {"model_type": "qwen2", "num_key_value_heads": 2, "initializer_range": 0.02},
    "local_attention": 10.0,
}


def last_states(model, *sentences):
    """Return the states (N, H) after sentences of token ids."""
    with torch.no_grad():
        return model.mllm.run(PackedBatch.from_ids(torch.tensor(sentences))).last[:, -1]


def test_words_add_up_in_the_state_after_them(build_mllmseg):
    the, red, blue, circle, square, on, left = range(10, 17)
    model = build_mllmseg(mllm={"adapter": LOCAL}).eval()
    sentences = [(the, color, noun) for noun in (circle, square) for color in (red, blue)]
    red_circle, blue_circle, red_square, blue_square = last_states(model, *sentences)
    # The effect of a color is large, independent of the noun, and smaller at a distance.
    color = red_circle - blue_circle
    assert color.norm() > 0.2 * red_circle.norm()
    assert torch.cosine_similarity(color, red_square - blue_square, 0) > 0.9
    distant = [(the, color, circle, on, the, left) for color in (red, blue)]
    assert torch.sub(*last_states(model, *distant)).norm() < 0.5 * color.norm()
    # With plain random weights it is almost 0.
    plain = build_mllmseg(mllm={"adapter": {**LOCAL, "local_attention": None}}).eval()
    assert torch.sub(*last_states(plain, *sentences[:2])).norm() < 0.1 * color.norm()


def test_the_second_half_of_the_layers_adds_nothing(build_mllmseg):
    model = build_mllmseg(mllm={"adapter": LOCAL})
    first, second = model.mllm.adapter.language_model.layers
    size = len(first.self_attn.v_proj.weight)
    identity = first.self_attn.o_proj.weight @ first.self_attn.v_proj.weight
    torch.testing.assert_close(identity, torch.eye(size))
    assert first.self_attn.k_proj.bias.any()
    assert second.self_attn.v_proj.weight.any()
    assert not second.self_attn.o_proj.weight.any()
    assert not any(layer.mlp.down_proj.weight.any() for layer in (first, second))
    assert not model.mllm.adapter.model.get_output_embeddings().weight.any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"model_type": "internlm2"}, "query and key must have biases"),
        ({"num_key_value_heads": 1}, r"as many channels as query \(32\), got 16"),
    ],
)
def test_local_attention_is_refused_without_biases_or_with_shared_heads(
    build_mllmseg, text, message
):
    adapter = {**LOCAL, "text_config": {**LOCAL["text_config"], **text}}
    with pytest.raises(ValueError, match=message):
        build_mllmseg(mllm={"adapter": adapter})


def test_local_attention_must_have_a_positive_strength(build_mllmseg):
    with pytest.raises(ValueError, match="must be positive, got -1"):
        build_mllmseg(mllm={"adapter": {**LOCAL, "local_attention": -1.0}})
