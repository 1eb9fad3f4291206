"""tools/benchmark.py on the miniature."""

import json
import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "benchmark.py"


def _run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_against_eager(miniature_config, tmp_path, monkeypatch, capsys):
    out = tmp_path / "benchmark.json"
    options = ["--mode", "fused", "--against", "eager", "--batch-sizes", "2", "--seconds", "0"]
    _run(monkeypatch, miniature_config, *options, "--device", "cpu", "--out", out)
    printed = capsys.readouterr().out
    assert "latency and throughput" in printed
    assert "backbone" in printed
    fused, eager = json.loads(out.read_text())["measurements"]
    assert (fused["mode"], eager["mode"]) == ("fused", "eager")
    assert fused["largest_difference"] < 1e-4


def test_an_empty_batch(miniature_config, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        _run(monkeypatch, miniature_config, "--batch-sizes", "0")
    assert "--batch-sizes must be 1 or more" in capsys.readouterr().err
