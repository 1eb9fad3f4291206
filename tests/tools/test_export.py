"""`vgtoolbox export` on the miniature."""

import pytest

from vgtoolbox.cli.main import main


def run(*words):
    return main(["export", *map(str, words)])


def test_writes_and_checks(miniature_config, tmp_path, capsys):
    out = tmp_path / "exported" / "model.pt2"
    run(miniature_config, "--out", out, "--outputs", "points", "boxes_cxcywh")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(out)
    assert [line.split()[0] for line in lines[1:]] == ["points", "boxes_cxcywh"]
    assert out.is_file()


def test_an_unknown_suffix(miniature_config, tmp_path, capsys):
    assert run(miniature_config, "--out", tmp_path / "model.engine") == 2
    assert "must end in .pt2 or .onnx" in capsys.readouterr().err


@pytest.mark.slow
def test_the_base_model(tmp_path):
    pytest.importorskip("onnxruntime")
    config = "InstanceVG-grefcoco"
    out = tmp_path / "base.onnx"
    wanted = ["class_logits", "boxes_cxcywh", "instance_mask_logits", "no_target_logits"]
    run(config, "--out", out, "--outputs", *wanted)
    assert out.stat().st_size > 900e6
