"""Every config of MLLMSeg builds at its full size, without weights and without its files."""

from pathlib import Path

import pytest
import torch

from vgtoolbox.checkpoint.layouts import mllmseg
from vgtoolbox.engine import load_config
from vgtoolbox.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
# Entries of the published state dict: vision tower, language model, projector, decoder.
NUM_KEYS = {"1B": 695, "2B": 575, "4B": 839, "8B": 631}
DECODER = {"1B": 27_831_942, "2B": 30_191_238, "4B": 30_191_238, "8B": 34_385_542}
LORA = {"1B": 35.2, "2B": 62.9, "4B": 119.7, "8B": 151.0}


def build(config, **mllm):
    cfg = load_config(config)
    cfg.model.mllm.update(mllm)
    with torch.device("meta"):
        return cfg, MODELS.build(cfg.model)


@pytest.mark.parametrize("size", NUM_KEYS)
def test_published_sizes(size):
    _, model = build(CONFIGS / "refcoco" / f"MLLMSeg-{size}-refcoco.py", lora=None, trainable=[])
    published = mllmseg.LAYOUT.to_published(model.state_dict())
    assert len(published) == NUM_KEYS[size]
    decoder = (model.fusion, model.decoder)
    assert sum(p.numel() for part in decoder for p in part.parameters()) == DECODER[size]
    dtypes = {p.dtype for p in model.mllm.parameters()}
    assert dtypes == {torch.bfloat16}


@pytest.mark.parametrize("size", LORA)
def test_trained_parameters(size):
    cfg, model = build(CONFIGS / "refcoco" / f"MLLMSeg-{size}-refcoco.py")
    named = dict(model.mllm.named_parameters())
    trained = {name: p for name, p in named.items() if p.requires_grad}
    lora = {name: p.numel() for name, p in trained.items() if "lora_" in name}
    expected = LORA[size] * 1e6
    if size in ("2B", "8B"):
        # InternLM2's q, k and v share what their LoRA reads in the published code, and here do not.
        text = cfg.model.mllm.adapter.text_config
        expected += 2 * 64 * text.hidden_size * text.num_hidden_layers
    assert sum(lora.values()) == pytest.approx(expected, rel=2e-3)
    others = sorted(name.removeprefix("adapter.model.") for name in set(trained) - set(lora))
    assert others == [
        "lm_head.weight",
        "model.language_model.embed_tokens.weight",
        "model.language_model.norm.weight",
    ]


def test_the_config_for_rejection():
    cfg, model = build(CONFIGS / "gres" / "MLLMSeg-8B-grefcoco.py")
    assert model.answer_mode == "teacher_forced"
    assert model.postprocessor.keep_rejected
    assert set(cfg.test_splits) == {"val", "testA", "testB"}
    assert cfg.train_dataloader.dataset.type == "GRefCOCODataset"


def test_the_miniature():
    cfg, model = build(CONFIGS / "shapes" / "MLLMSeg-tiny-shapes.py")
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert set(cfg.test_splits) == {"grefs_test", "refs_test"}
    assert sum(p.numel() for p in model.parameters()) < 2e6
