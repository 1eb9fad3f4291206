"""The configs of LISA, READ and UGround build at their full size, without weights."""

from pathlib import Path

import pytest
import torch

from vgtoolbox.checkpoint.layouts import lisa
from vgtoolbox.engine import load_config
from vgtoolbox.registry import MODELS

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = sorted((ROOT / "configs" / "reasonseg").glob("*B-reasonseg.py"))


def build(config, **mllm):
    cfg = load_config(config)
    cfg.model.mllm.update(mllm)
    with torch.device("meta"):
        return MODELS.build(cfg.model)


def test_the_7b_has_the_published_keys():
    lines = (ROOT / "tests/parity/data/uground_7b.tsv").read_text().splitlines()
    published = {line.split("\t")[0] for line in lines if line.strip() and line[0] != "#"}
    value = torch.empty(0)
    used = {key for key in published if lisa.LAYOUT.convert(key, value, None)}
    model = build(ROOT / "configs/reasonseg/UGround-7B-reasonseg.py", lora=None, trainable=[])
    ours = lisa.LAYOUT.to_published(model.state_dict())
    # Merged folders have no vision tower.
    assert {key for key in ours if "vision_tower" not in key} == used


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_trained_parts(config):
    model = build(config)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert not any(name.startswith("image_encoder.") for name in trained)
    assert any(name.startswith("mask_decoder.") for name in trained)
    assert any(name.startswith("prompt_encoder.") for name in trained) == (
        "LISA" not in config.stem
    )
    lora = {name for name in trained if "lora_" in name}
    layers = len(model.mllm.adapter.language_model.layers)
    assert len(lora) == 4 * layers  # A and B of q and v
    others = {name for name in trained - lora if name.startswith("mllm.")}
    assert {name.removeprefix("mllm.adapter.model.") for name in others} == {
        "lm_head.weight",
        "model.language_model.embed_tokens.weight",
    }
    dtypes = {p.dtype for p in model.mllm.parameters() if not p.requires_grad}
    assert dtypes == {torch.bfloat16}
