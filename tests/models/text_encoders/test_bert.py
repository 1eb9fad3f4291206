import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from vgtoolbox.models.text_encoders import BertTextEncoder

SIZES = {
    "vocab_size": 30,
    "embed_dim": 8,
    "num_layers": 2,
    "num_heads": 2,
    "ffn_dim": 12,
    "max_positions": 10,
}


@pytest.fixture
def folder(tmp_path):
    """Save a small BERT in the format of a pretraining checkpoint and return its folder."""
    config = BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=10,
    )
    torch.manual_seed(3)
    BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


@pytest.fixture
def tokens():
    return torch.randint(0, 30, (2, 7)), torch.arange(7) >= torch.tensor([[7], [4]])


def test_token_ids_of_padding_do_not_change_words(tokens):
    ids, padding = tokens
    encoder = BertTextEncoder(**SIZES).eval()
    before = encoder(ids, padding)
    assert before.shape == (2, 7, 8)
    after = encoder(ids.masked_fill(padding, 5), padding)
    torch.testing.assert_close(before[~padding], after[~padding])


def test_init_weights_loads_pretrained_weights(folder, tokens):
    encoder = BertTextEncoder(**SIZES, pretrained=str(folder)).eval()
    random = encoder(*tokens)
    encoder.init_weights()
    reference = BertForMaskedLM.from_pretrained(folder).bert.eval()
    ids, padding = tokens
    expected = reference(ids, attention_mask=(~padding).long()).last_hidden_state
    torch.testing.assert_close(encoder(ids, padding), expected)
    assert not torch.allclose(random, expected)


def test_fewer_layers_load_the_first_pretrained_ones(folder, tokens):
    encoder = BertTextEncoder(**{**SIZES, "num_layers": 1}, pretrained=str(folder)).eval()
    encoder.init_weights()
    reference = BertForMaskedLM.from_pretrained(folder).bert.eval()
    state = reference.encoder.layer[0].state_dict()
    own = encoder.bert.encoder.layer[0].state_dict()
    assert all(torch.equal(state[key], own[key]) for key in state)


@pytest.mark.parametrize("change", [{"num_layers": 3}, {"ffn_dim": 16}, {"vocab_size": 31}])
def test_weights_of_another_size_raise(folder, change):
    encoder = BertTextEncoder(**{**SIZES, **change}, pretrained=str(folder))
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    with pytest.raises(ValueError, match=r"must match this BERT, got .* set vocab_size"):
        encoder.init_weights()
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


def test_too_many_tokens_raise():
    encoder = BertTextEncoder(**SIZES)
    with pytest.raises(ValueError, match=r"must have at most 10 tokens .*, got 11; lower"):
        encoder(torch.zeros(1, 11, dtype=torch.long), torch.zeros(1, 11, dtype=torch.bool))
