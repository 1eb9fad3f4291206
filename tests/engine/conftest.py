"""Toy runs in a temporary folder, in this process or in a child that may be killed."""

import multiprocessing
import uuid
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOY_CONFIG = HERE / "toy_config.py"


@pytest.fixture(autouse=True)
def _toy_grounder_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def toy_config(tmp_path):
    """Return a function that reads the toy config with overrides, for a run in `tmp_path`."""
    from vgtoolbox.engine import load_config

    def read(name="run", **options):
        cfg = load_config(
            TOY_CONFIG,
            {
                "work_dir": str(tmp_path / name),
                # Otherwise runs within one second share mmengine's log and message hub.
                "experiment_name": uuid.uuid4().hex,
                "device": "cpu",
                "visualizer.vis_backends": [{"type": "LocalVisBackend"}],
                "log_level": "WARNING",
            },
        )
        cfg.merge_from_dict(options)
        return cfg

    return read


@pytest.fixture
def in_child():
    """Return a function that runs another one in a forked process and returns its exit code."""

    def run(function, *arguments, **options):
        child = multiprocessing.get_context("fork").Process(
            target=function, args=arguments, kwargs=options
        )
        child.start()
        child.join(120)
        if child.is_alive():
            child.kill()
            pytest.fail("the child process hangs")
        return child.exitcode

    return run
