"""Configs written for vgtoolbox 0.1 load with warnings, train and test unchanged."""

import json
import subprocess
import sys
import uuid
import warnings
from pathlib import Path

import pytest
import torch

from vgtoolbox import engine
from vgtoolbox.checkpoint import load_checkpoint, save_checkpoint
from vgtoolbox.engine import load_config, train
from vgtoolbox.engine.config import config_from_text
from vgtoolbox.registry import MODELS
from vgtoolbox.shapes import WorldSpec, prepare_world
from vgtoolbox.shapes.formats import write_formats
from vgtoolbox.utils.deprecation import RENAMED_ARGUMENTS, RENAMED_TYPES, RENAMED_VALUES

CONFIGS = Path(__file__).parents[1] / "fixtures" / "config_v0_1"
FIRST_LOSS = {"instancevg": 8.735085, "mllmseg": 2.554907, "plvl": 10.293333}
"""Loss of the first iteration as computed by version 0.1."""
METRIC = {"instancevg": "gres/gIoU", "mllmseg": "gres/gIoU", "plvl": "res/gIoU"}
VALUE = {"instancevg": 7.479981, "mllmseg": 5.097663, "plvl": 5.431858}
"""Value of the metric after one iteration as computed by version 0.1."""


@pytest.fixture(scope="module")
def shapes_root(tmp_path_factory):
    """Generate a few scenes with annotations in the formats that the configs read."""
    root = tmp_path_factory.mktemp("world") / "shapes"
    prepare_world(root, WorldSpec(scale="tiny", seed=0, num_scenes=(4, 2, 2)), workers=1)
    write_formats(root, ["plvl"])
    return root


@pytest.fixture
def read_old_config(shapes_root, monkeypatch):
    """Return a function that reads a config by name and returns it with the warnings."""
    monkeypatch.setenv("SHAPES_ROOT", str(shapes_root))

    def read(name):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cfg = load_config(CONFIGS / f"{name}.py")
        messages = [str(w.message) for w in caught if w.category is DeprecationWarning]
        return cfg, {message for message in messages if "earlier name" in message}

    return read


@pytest.fixture
def text_encoder_file(shapes_root, read_old_config):
    """Save the pretrained text encoder that the PLVL config starts from, all weights 0.01."""
    cfg, _ = read_old_config("plvl")
    weights = MODELS.build(cfg.model).text_encoder.state_dict()
    constant = {
        key: torch.full_like(value, 0.01) if value.is_floating_point() else value
        for key, value in weights.items()
    }
    save_checkpoint({"model": constant}, shapes_root / "text_encoder.pth")


@pytest.mark.parametrize("name", FIRST_LOSS)
@pytest.mark.usefixtures("text_encoder_file")
def test_an_old_config_trains_and_tests_unchanged(name, read_old_config, tmp_path):
    cfg, messages = read_old_config(name)
    assert messages
    cfg.work_dir = str(tmp_path / "run")
    cfg.experiment_name = uuid.uuid4().hex
    runner = train(cfg)
    losses = runner.message_hub.get_scalar("train/loss").data[0]
    assert losses.tolist() == pytest.approx([FIRST_LOSS[name]], rel=1e-4)

    checkpoint = tmp_path / "run" / "epoch_1.pth"
    values = engine.test(cfg, checkpoint, out=tmp_path / "out")["test"]
    assert values[METRIC[name]] == pytest.approx(VALUE[name], rel=1e-3)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["splits"]["test"] == values

    # The config in the checkpoint has present names only.
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        stored = config_from_text(load_checkpoint(checkpoint)["config"])
    assert stored.model == cfg.model


def test_commands_show_the_warnings():
    words = ["-m", "vgtoolbox", "config", CONFIGS / "plvl.py", "--key", "custom_hooks"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    assert "argument 'page' of PretrainedWeightsHook is now 'url'" in done.stderr
    assert "url=" in done.stdout


def test_the_warnings_name_all_renamed_types_arguments_and_values(read_old_config):
    messages = " ".join(message for name in FIRST_LOSS for message in read_old_config(name)[1])
    for old, new in RENAMED_TYPES.items():
        assert f"type {old!r} is now {new!r}" in messages
    for name, arguments in RENAMED_ARGUMENTS.items():
        for old, new in arguments.items():
            assert f"argument {old!r} of {name} is now {new!r}" in messages
    for (name, argument), values in RENAMED_VALUES.items():
        # A config has one of the values of an argument.
        assert any(
            f"{argument}={old!r} of {name} is now {new!r}" in messages
            for old, new in values.items()
        )
