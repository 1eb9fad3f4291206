import torch
from transformers import SamConfig, SamModel

from vgtoolbox.models.prompt_encoders import SAMPromptEncoder


def build():
    torch.manual_seed(0)
    return SAMPromptEncoder(image_size=64, patch_size=8, channels=16)


def test_positions_are_those_of_transformers():
    config = SamConfig(
        vision_config={
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "num_pos_feats": 8,
            "output_channels": 16,
            "image_size": 64,
            "patch_size": 8,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 8},
        mask_decoder_config={"hidden_size": 16, "num_attention_heads": 2, "mlp_dim": 8},
    )
    reference, encoder = SamModel(config), build()
    frequencies = reference.shared_image_embedding.positional_embedding
    encoder.encoder.shared_embedding.positional_embedding.copy_(frequencies.detach())
    expected = reference.get_image_wide_positional_embeddings()
    torch.testing.assert_close(encoder.image_positions(), expected)


def test_the_frequencies_are_not_trained():
    encoder = build().requires_grad_(True)
    assert "encoder.shared_embedding.positional_embedding" in encoder.state_dict()
    assert all("positional_embedding" not in name for name, _ in encoder.named_parameters())


@torch.no_grad()
def test_text_follows_the_points_and_their_padding():
    encoder, text = build(), torch.randn(2, 1, 16)
    plain = encoder(text)
    assert torch.equal(plain.sparse, text)
    assert plain.dense.shape == (2, 16, 8, 8)
    points = torch.tensor([[[3.0, 4.0], [50.0, 60.0]]] * 2)
    pointed = encoder(text, points=points, point_labels=torch.tensor([[1.0, 0.0], [1.0, -1.0]]))
    assert pointed.sparse.shape == (2, 4, 16)
    assert torch.equal(pointed.sparse[:, -1:], text)
    assert torch.equal(pointed.sparse[0, 0], pointed.sparse[1, 0])
    # A point that prompts nothing has no position, like the padding.
    assert torch.equal(pointed.sparse[1, 1], pointed.sparse[1, 2])


@torch.no_grad()
def test_mask_prompts_have_four_pixels_per_cell():
    encoder = build()
    masks = torch.rand(2, 1, encoder.mask_size, encoder.mask_size)
    assert encoder.mask_size == 32
    dense = encoder(torch.randn(2, 1, 16), masks=masks).dense
    assert dense.shape == (2, 16, 8, 8)
    assert not torch.equal(dense[0], dense[1])
