"""Script tools/convert_checkpoint.py as a process."""

import subprocess
import sys
from pathlib import Path

import torch

from vgtoolbox.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[2]


def convert(*words):
    command = [sys.executable, "tools/convert_checkpoint.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_to_the_published_layout_and_back(released_checkpoint, miniature_config, tmp_path):
    published, ours = tmp_path / "published.pth", tmp_path / "ours.safetensors"
    done = convert(released_checkpoint, published)
    assert done.returncode == 0, done.stderr
    assert "converted to the layout of the published InstanceVG" in done.stdout
    assert "head.nt_embed.layers.0.weight" in load_checkpoint(published)["state_dict"]

    done = convert(published, ours, "--config", miniature_config)
    assert done.returncode == 0, done.stderr
    assert "checked weight by weight" in done.stdout
    before, after = load_checkpoint(released_checkpoint), load_checkpoint(ours)
    assert after["config"] == before["config"]
    assert after["state_dict"].keys() == before["state_dict"].keys()
    for key, value in before["state_dict"].items():
        assert torch.equal(after["state_dict"][key], value), key


def test_a_user_error_is_reported_in_one_line(tmp_path):
    done = convert(tmp_path / "absent.pth", tmp_path / "out.pth")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no checkpoint ")
    assert "Traceback" not in done.stderr
