"""Script tools/demo.py on a miniature InstanceVG with random weights, and on bad input."""

import json
import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.evaluation import read_predictions

DEMO = Path(__file__).parents[2] / "tools" / "demo.py"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a photo.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def demo(released_checkpoint, monkeypatch, tmp_path, capsys):
    """Return a function that runs the demo and returns exit code, stdout and stderr."""

    def run(*words, checkpoint=released_checkpoint):
        given = [] if checkpoint is None else ["--checkpoint", checkpoint]
        usual = ["--device", "cpu", "--output_dir", tmp_path / "out"]
        monkeypatch.setattr(sys, "argv", [str(word) for word in ("demo", *usual, *given, *words)])
        code = 0
        with warnings.catch_warnings():  # the command changes how warnings are shown
            try:
                runpy.run_path(str(DEMO), run_name="__main__")
            except SystemExit as exit_:
                code = exit_.code
        return code, *capsys.readouterr()

    return run


def files(folder, suffix):
    return sorted(folder.glob(f"*{suffix}"))


def test_writes_a_picture_and_a_line_for_each_expression(demo, photo, tmp_path):
    code, out, _ = demo("--img", photo, "--expression", "red circle", "--expression", "two dogs")
    assert code == 0
    pictures, lines = files(tmp_path / "out", ".png"), files(tmp_path / "out", ".json")
    assert len(pictures) == len(lines) == 2
    assert all(str(path) in out for path in pictures + lines)
    assert {read_predictions(line)[0]["expression"] for line in lines} == {"red circle", "two dogs"}
    for path in lines:
        (record,) = read_predictions(path)
        assert record["size"] == [60, 80]
        assert record["image"] == str(photo)
        assert len(record["boxes_xyxy"]) == len(record["scores"]) == len(record["masks"]) == 3
    assert all(Image.open(path).width >= 80 for path in pictures)


def test_says_no_target(demo, photo, tmp_path):
    code, out, _ = demo("--img", photo, "--expression", "dogs", "--score_thr", "0.99")
    assert code == 0
    assert "no target" in out
    assert json.loads(files(tmp_path / "out", ".json")[0].read_text())["no_target"] is True


def test_a_low_threshold_keeps_targets(demo, photo, tmp_path):
    code, out, _ = demo("--img", photo, "--expression", "dogs", "--score_thr", "0")
    assert code == 0
    assert "no target" not in out
    assert "found; existence" in out
    assert json.loads(files(tmp_path / "out", ".json")[0].read_text())["no_target"] is False


def test_runs_on_random_weights_and_says_so(demo, photo, miniature_config, tmp_path):
    code, out, _ = demo(
        "--img", photo, "--expression", "dogs", "--config", miniature_config, checkpoint=None
    )
    assert code == 0
    assert "warning: no checkpoint: the weights of InstanceVG are random" in out
    assert files(tmp_path / "out", ".png")


@pytest.mark.parametrize(
    "expression", ["斑马 / ζέβρα 🦓", "red circle " * 250, "../../red", "[bold]a[/] [b", "--"]
)
def test_any_expression_gives_a_safe_file_name(demo, photo, tmp_path, expression):
    # "--expression=...", since a text that begins with a dash would be parsed as an option.
    code, _, _ = demo("--img", photo, f"--expression={expression}x")
    assert code == 0
    (picture,) = files(tmp_path / "out", ".png")
    assert len(picture.name.encode()) < 255
    assert {path.name for path in tmp_path.iterdir()} == {photo.name, "out"}


def test_two_runs_are_equal(demo, photo, tmp_path):
    demo("--img", photo, "--expression", "dogs", "--score_thr", "0.01")
    first = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    demo("--img", photo, "--expression", "dogs", "--score_thr", "0.01")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == first


def broken_jpeg(photo):
    photo.write_bytes(photo.read_bytes()[:-200])
    return photo


class TestBadInput:
    """Bad input ends with exit code 2 and one line that names the cause."""

    def check(self, outcome, *words):
        code, _, err = outcome
        assert code == 2
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        for word in words:
            assert word in err

    def test_missing_image(self, demo, tmp_path):
        outcome = demo("--img", tmp_path / "nowhere.jpg", "--expression", "dogs")
        self.check(outcome, "nowhere.jpg does not exist")

    def test_truncated_jpeg(self, demo, photo):
        outcome = demo("--img", broken_jpeg(photo), "--expression", "dogs")
        self.check(outcome, "a photo.jpg", "truncated")

    def test_text_instead_of_an_image(self, demo, tmp_path):
        (tmp_path / "text.jpg").write_text("hello")
        outcome = demo("--img", tmp_path / "text.jpg", "--expression", "dogs")
        self.check(outcome, "text.jpg", "is not an image")

    @pytest.mark.parametrize("text", ["", "  ", "?!"])
    def test_empty_expression(self, demo, photo, text):
        self.check(demo("--img", photo, "--expression", text), "is empty")

    def test_missing_checkpoint(self, demo, photo, tmp_path):
        outcome = demo(
            "--img", photo, "--expression", "dogs", checkpoint=tmp_path / "no.safetensors"
        )
        self.check(outcome, "no.safetensors")

    def test_missing_config(self, demo, photo):
        outcome = demo("--img", photo, "--expression", "dogs", "--config", "nowhere.py")
        self.check(outcome, "nowhere.py")

    def test_unknown_config_key(self, demo, photo):
        outcome = demo("--img", photo, "--expression", "dogs", "--cfg-options", "modle.channels=1")
        self.check(outcome, "modle")

    def test_unknown_device(self, demo, photo):
        outcome = demo("--img", photo, "--expression", "dogs", "--device", "abacus")
        self.check(outcome, "abacus")


def test_as_a_process(photo, tmp_path, released_checkpoint):
    words = ["--img", photo, "--expression", "dogs", "--output_dir", tmp_path / "out"]
    words += ["--checkpoint", released_checkpoint]
    done = subprocess.run(
        [sys.executable, str(DEMO), *map(str, words)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "device: " in done.stdout + done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 2
