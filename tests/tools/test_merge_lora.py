"""Script `tools/merge_lora.py` on a small model with LoRA, merged and extracted."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from vgtoolbox.checkpoint import load_released, load_state_dict_strict, save_checkpoint
from vgtoolbox.checkpoint.config_text import read_config_text, write_config_text
from vgtoolbox.checkpoint.layouts import internvl
from vgtoolbox.cli.main import main
from vgtoolbox.models.mllm import PackedBatch
from vgtoolbox.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
LORA = {"targets": ["q_proj", "up_proj"], "rank": 2, "alpha": 6}


def merge(words):
    assert main(["merge-lora", *words]) == 0


@pytest.fixture
def config(tmp_path):
    cfg = Config.fromfile(ROOT / "configs" / "_base_" / "models" / "mllmseg_tiny.py")
    cfg.pop("_channels", None)
    cfg.model.mllm.adapter.text_config.num_hidden_layers = 1
    cfg.model.mllm.adapter.vision_config.num_hidden_layers = 1
    cfg.model.mllm.update(lora=LORA, trainable=["new_rows"])
    torch.manual_seed(0)
    base = MODELS.build({**cfg.model, "mllm": {**cfg.model.mllm, "lora": None}})
    folder = tmp_path / "InternVL"
    folder.mkdir()
    published = internvl.LAYOUT.to_published(base.state_dict(), base)
    save_file(
        {key: v.contiguous().clone() for key, v in published.items()}, folder / "model.safetensors"
    )
    cfg.model.mllm.pretrained = str(folder)
    return cfg.to_dict()


@pytest.fixture
def trained(config, tmp_path):
    """Return a training checkpoint and its model."""
    torch.manual_seed(1)
    model = MODELS.build(config["model"])
    model.init_weights()
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    path = tmp_path / "iter_1.pth"
    text = write_config_text(config)
    save_checkpoint({"state_dict": dict(model.state_dict()), "config": text}, path)
    return path, model.eval()


def states(model):
    """Return hidden states of a text with the new tokens."""
    packed = PackedBatch.from_ids(torch.tensor([[1, 574, 20, 575]]))
    with torch.no_grad():
        return model.mllm.run(packed).last


def test_merged(trained, tmp_path):
    path, model = trained
    merge([str(path), str(tmp_path / "merged.safetensors")])
    weights, text = load_released(tmp_path / "merged.safetensors")
    config = read_config_text(text)
    assert "lora" not in config["model"]["mllm"]
    merged = MODELS.build(config["model"]).eval()
    assert load_state_dict_strict(merged, weights).complete
    torch.testing.assert_close(states(merged), states(model))


def test_adapter_only(trained, tmp_path):
    path, model = trained
    out = tmp_path / "adapter.safetensors"
    merge([str(path), str(out), "--adapter-only"])
    assert out.stat().st_size < 0.7 * path.stat().st_size
    weights, text = load_released(out)
    assert not any(".base_layer." in key or "vision_tower" in key for key in weights)
    again = MODELS.build(read_config_text(text)["model"]).eval()
    assert load_state_dict_strict(again, weights).complete
    torch.testing.assert_close(states(again), states(model))


def test_nothing_to_merge(trained, tmp_path, capsys):
    path, _ = trained
    merge([str(path), str(tmp_path / "merged.safetensors")])
    words = [str(tmp_path / name) for name in ("merged.safetensors", "again.safetensors")]
    assert main(["merge-lora", *words]) == 2
    assert "has no LoRA" in capsys.readouterr().err
