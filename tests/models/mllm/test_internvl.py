import pytest
import torch

from vgtoolbox.models.layers import cosine_patch_basis, sine_position_encoding


def parts(model):
    adapter = model.mllm.adapter.model
    vision = adapter.model.vision_tower.embeddings
    return adapter.get_input_embeddings().weight, vision


def test_words_places_and_edges_to_begin_with(build_mllmseg):
    words, vision = parts(build_mllmseg())
    assert words.std().item() == pytest.approx(0.5, rel=0.05)
    places = vision.position_embeddings[0]
    expected = 2 * sine_position_encoding((4, 4), 32, temperature=20.0)
    torch.testing.assert_close(places[1:].detach(), expected)
    assert not places[0].any()  # the class token's
    filters = vision.patch_embeddings.projection.weight.detach()
    torch.testing.assert_close(filters, 4 * cosine_patch_basis(8, 32))


def test_the_initial_weights_of_transformers_where_nothing_is_said(build_mllmseg):
    unsaid = dict.fromkeys(("embed_init_std", "sine_position_scale", "cosine_patch_scale"))
    words, vision = parts(build_mllmseg(mllm={"adapter": unsaid}))
    assert words.std().item() == pytest.approx(0.06, rel=0.05)
    assert not vision.position_embeddings.any()
