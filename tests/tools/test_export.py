"""tools/export.py on the miniature."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "export.py"


def _run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_writes_and_checks(miniature_config, tmp_path, monkeypatch, capsys):
    out = tmp_path / "exported" / "model.pt2"
    _run(monkeypatch, miniature_config, "--out", out, "--outputs", "points", "boxes_cxcywh")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(out)
    assert [line.split()[0] for line in lines[1:]] == ["points", "boxes_cxcywh"]
    assert out.is_file()


def test_an_ending_that_is_not_known(miniature_config, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        _run(monkeypatch, miniature_config, "--out", tmp_path / "model.engine")
    assert "must end in .pt2 or .onnx" in capsys.readouterr().err


@pytest.mark.slow
def test_the_base_model(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    config = SCRIPT.parents[1] / "configs" / "gres" / "InstanceVG-grefcoco.py"
    out = tmp_path / "base.onnx"
    wanted = ["class_logits", "boxes_cxcywh", "instance_mask_logits", "no_target_logits"]
    _run(monkeypatch, config, "--out", out, "--outputs", *wanted)
    assert out.stat().st_size > 900e6
