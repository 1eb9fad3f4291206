"""Checkpoints of any kind that commands refuse in one line, without a traceback."""

import numpy as np
import pytest
import torch
from PIL import Image

from vgtoolbox.checkpoint import load_checkpoint
from vgtoolbox.cli.main import main


@pytest.fixture
def bad(tmp_path, released_checkpoint):
    """Return a function that writes a bad checkpoint of a kind."""
    released = load_checkpoint(released_checkpoint)
    state = released["state_dict"]
    nan = {key: value.clone() for key, value in state.items()}
    next(iter(nan.values())).view(-1)[0] = torch.nan
    half = dict(list(state.items())[:9])
    raw = released_checkpoint.read_bytes()
    contents = {
        "pointer": b"version https://git-lfs.github.com/spec/v1\n",
        "empty": b"",
        "truncated": raw[: len(raw) // 2],
        "zip": b"PK\x03\x04" + bytes(99),
        "nan": {"state_dict": nan, "config": "model = dict(type='InstanceVG')\n"},
        "half": {"net": {f"model.{key}": value for key, value in half.items()}},
        "several": {"net": state, "model": state},
        "config": {"state_dict": state, "config": "model = [" * 99, "meta": 5},
        "list": [1, 2],
        "lora": {"mllm.adapter.x.lora_A.default.weight": torch.ones(2)},
    }

    def write(kind):
        path = tmp_path / f"{kind}.pth"
        if kind == "loop":
            path.symlink_to(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "index":
            path.mkdir()
            (path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../b"}}')
        elif isinstance(contents[kind], bytes):
            path.write_bytes(contents[kind])
        else:
            torch.save(contents[kind], path)
        return str(path)

    return write


KINDS = (
    *("pointer", "empty", "truncated", "zip", "nan", "half", "several", "config", "list", "lora"),
    *("loop", "folder", "index"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_refuses_it_in_one_line(bad, kind, tmp_path, miniature_config, capfd):
    path = bad(kind)
    photo = tmp_path / "photo.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(photo)
    out = str(tmp_path / "out.safetensors")
    config = str(miniature_config)
    cpu = ["--device", "cpu"]
    ground = ["--img", str(photo), "--expression", "a", "--output-dir", str(tmp_path / "pictures")]
    asked = ["--images", str(photo), "--expressions", "a"]
    commands = [
        ["publish", path, out],
        ["merge-lora", path, out],
        ["infer", *asked, "--checkpoint", path, "--out", str(tmp_path / "predictions"), *cpu],
    ]
    if kind != "config":  # of which only the weights are used here
        commands += [
            ["convert", path, out, "--config", config],
            ["demo", *ground, "--config", config, "--checkpoint", path, *cpu],
        ]
    for words in commands:
        assert main(words) == 2, words
        error = capfd.readouterr().err
        assert "error: " in error
        assert "Traceback" not in error
    assert not (tmp_path / "out.safetensors").exists()
