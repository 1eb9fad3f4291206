import pytest
from mmengine.config import Config

from vgtoolbox.checkpoint.config_text import (
    ConfigTextError,
    read_config_text,
    write_config_text,
)


def test_a_resolved_config_is_read_back():
    values = {
        "model": {"type": "InstanceVG", "heads": [{"dim": 8, "lr-mult": -0.5}], "size": (320, 320)},
        "load_from": None,
        "deep": {"text": "it's", "flags": [True, False], "empty": {}, "eps": 1e-9},
    }
    assert read_config_text(Config(values).pretty_text) == values
    assert read_config_text(write_config_text(values)) == values


def test_the_steps_of_a_pipeline_keep_their_order():
    pipeline = {name: {"type": name.title()} for name in ("load", "resize", "clean", "pack", "a")}
    cfg = Config({"val_dataloader": {"dataset": {"pipeline": pipeline}}})
    read = read_config_text(write_config_text(cfg.to_dict()))
    assert list(read["val_dataloader"]["dataset"]["pipeline"]) == list(pipeline)


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "a = open('/etc/passwd')",
        "a = dict(b=__import__('os').getcwd())",
        "a = [x for x in (1, 2)]",
        "a = 1\nprint(a)",
        "a = {**dict(b=1)}",
        "a = dict(**dict(b=1))",
        "a = dict(1)",
        "a.b = 1",
    ],
)
def test_code_is_refused_and_not_run(text):
    with pytest.raises(ConfigTextError, match=r"line .* of the config text must be"):
        read_config_text(text)


def test_invalid_source_is_reported():
    with pytest.raises(ConfigTextError, match="not valid Python"):
        read_config_text("model = dict(")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "-" * 100_000 + "1",
        "a = " + "dict(b=" * 3000,
        "a = '\ud800'",
        "a = 1\0",
        "a = " + "[" * 190 + "]" * 190 + "+ 1",
        "a = " + "b." * 20_000 + "c",
    ],
    ids=["signs", "calls", "half a character", "null", "lists", "attributes"],
)
def test_deeply_nested_and_broken_text_is_refused(text):
    with pytest.raises(ConfigTextError, match="the config text"):
        read_config_text(text)
