import pytest
import torch
from transformers import BertConfig, BertForPreTraining, BertModel

from vgtoolbox.checkpoint import CheckpointMismatchError, load_checkpoint, load_state_dict_strict
from vgtoolbox.checkpoint.layouts import bert, recognize_layout
from vgtoolbox.models.text_encoders import BertTextEncoder

SIZES = {"vocab_size": 30, "embed_dim": 8, "num_heads": 2, "ffn_dim": 12, "max_positions": 10}


@pytest.fixture(scope="module")
def config():
    return BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=10,
    )


@pytest.fixture
def pretrained(config):
    torch.manual_seed(0)
    return BertForPreTraining(config).eval()


@pytest.fixture
def tokens():
    return torch.randint(0, 30, (2, 7)), torch.arange(7) >= torch.tensor([[7], [4]])


def _states(model, tokens):
    ids, padding = tokens
    return model(ids, attention_mask=(~padding).long()).last_hidden_state


@pytest.mark.parametrize("form", ["as pretrained", "old names", "encoder alone"])
def test_published_forms_fill_the_text_encoder(pretrained, tokens, tmp_path, form):
    if form == "encoder alone":
        pretrained.bert.save_pretrained(tmp_path)
    else:
        pretrained.save_pretrained(tmp_path)
    state = load_checkpoint(tmp_path / "model.safetensors")["state_dict"]
    if form == "old names":
        names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for new, old in names.items():
            state = {key.replace(new, old): value for key, value in state.items()}
        state["bert.embeddings.position_ids"] = torch.arange(10)[None]
    encoder = BertTextEncoder(**SIZES, num_layers=2).eval()
    report = load_state_dict_strict(encoder, state)
    assert report.complete
    assert report.layout == bert.LAYOUT.name
    torch.testing.assert_close(encoder(*tokens), _states(pretrained.bert, tokens))


def test_fewer_layers_take_the_first_ones(pretrained):
    encoder = BertTextEncoder(**SIZES, num_layers=1)
    assert load_state_dict_strict(encoder, pretrained.state_dict()).complete
    own, theirs = encoder.bert.encoder.layer[0], pretrained.bert.encoder.layer[0]
    assert all(
        torch.equal(a, b) for a, b in zip(own.parameters(), theirs.parameters(), strict=True)
    )


def test_more_layers_are_missing(pretrained):
    with pytest.raises(CheckpointMismatchError) as error:
        load_state_dict_strict(BertTextEncoder(**SIZES, num_layers=3), pretrained.state_dict())
    assert len(error.value.report.missing) == 16
    assert all(key.startswith("bert.encoder.layer.2.") for key in error.value.report.missing)


def test_an_extra_tensor_is_named(pretrained):
    state = pretrained.state_dict() | {"bert.encoder.layer.0.adapter.weight": torch.zeros(1)}
    with pytest.raises(CheckpointMismatchError) as error:
        load_state_dict_strict(BertTextEncoder(**SIZES, num_layers=2), state)
    assert error.value.report.unexpected == ("bert.encoder.layer.0.adapter.weight",)


def test_exported_weights_load_into_transformers(config, tokens):
    encoder = BertTextEncoder(**SIZES, num_layers=2).eval()
    published = bert.LAYOUT.to_published(encoder.state_dict())
    model = BertModel(config, add_pooling_layer=False).eval()
    model.load_state_dict({key.removeprefix("bert."): value for key, value in published.items()})
    torch.testing.assert_close(_states(model, tokens), encoder(*tokens))


def test_recognized_only_if_alone(pretrained):
    assert recognize_layout(pretrained.state_dict()) is bert.LAYOUT
    assert recognize_layout(pretrained.bert.state_dict()) is bert.LAYOUT
    assert recognize_layout({f"text_encoder.{key}" for key in pretrained.state_dict()}) is None
