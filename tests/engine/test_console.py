"""Console output and log file of a run."""

from pathlib import Path

import pytest

from vgtoolbox import engine
from vgtoolbox.engine import build_runner, train
from vgtoolbox.engine.runner import prepare_config

STARTUP_LINES = 20


@pytest.fixture
def cfg(toy_config):
    return toy_config(
        log_level="INFO", **{"default_hooks.logger.interval": 1, "train_cfg.max_epochs": 1}
    )


def before_progress(console, progress):
    """Return the lines before the first line with `progress`."""
    lines = console.splitlines()
    return lines[: next(number for number, line in enumerate(lines) if progress in line)]


def log_text(cfg, progress):
    """Return the text of the log file of the run that logged `progress`."""
    texts = [path.read_text() for path in Path(cfg.work_dir).rglob("*.log")]
    (text,) = [text for text in texts if progress in text]
    return text


@pytest.mark.parametrize("command", ["train", "test"])
def test_startup_is_short_on_the_console_and_complete_in_the_log_file(cfg, command, capsys):
    runner = train(cfg)
    if command == "test":
        capsys.readouterr()
        cfg.experiment_name += "-test"
        engine.test(cfg, Path(runner.work_dir) / "epoch_1.pth")
    progress = f"Epoch({command})"
    startup = before_progress(capsys.readouterr().out, progress)
    assert 0 < len(startup) <= STARTUP_LINES, "\n".join(startup)
    assert any("environment, config and hooks are listed in" in line for line in startup)
    logged = log_text(cfg, progress)
    for part in ("System environment:", "optim_wrapper=dict(", "Hooks will be executed"):
        assert part in logged
    assert len(logged.splitlines()) > 5 * STARTUP_LINES


def test_warnings_and_messages_of_others_stay_on_the_console(cfg, capsys):
    runner = build_runner(prepare_config(cfg))
    capsys.readouterr()
    runner.logger.warning("first\nsecond")
    runner.logger.info("a table\nof a hook")
    assert [line.rpartition(" - ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "first",
        "second",
        "a table",
        "of a hook",
    ]
