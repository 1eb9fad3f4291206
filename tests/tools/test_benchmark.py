"""`vgtoolbox benchmark` on the miniature."""

import json

from vgtoolbox.cli.main import main


def run(*words):
    return main(["benchmark", *map(str, words)])


def test_against_eager(miniature_config, tmp_path, capsys):
    out = tmp_path / "benchmark.json"
    options = ["--mode", "fused", "--against", "eager", "--batch-sizes", "2", "--seconds", "0"]
    assert run(miniature_config, *options, "--device", "cpu", "--out", out) == 0
    printed = capsys.readouterr().out
    assert "latency and throughput" in printed
    assert "backbone" in printed
    fused, eager = json.loads(out.read_text())["measurements"]
    assert (fused["mode"], eager["mode"]) == ("fused", "eager")
    assert fused["largest_difference"] < 1e-4


def test_an_empty_batch(miniature_config, capsys):
    assert run(miniature_config, "--batch-sizes", "0") == 2
    assert "--batch-sizes: must be an integer of 1 or more" in capsys.readouterr().err
