import io
import logging

from rich.console import Console

from vgtoolbox.engine import ProgressBarHook, build_runner
from vgtoolbox.engine.runner import prepare_config


def output_of_a_run(cfg, *, terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    runner = build_runner(prepare_config(cfg))
    runner.register_hook(ProgressBarHook(console=console))
    runner.train()
    return runner, console.file.getvalue()


def test_a_terminal_shows_a_bar_with_the_remaining_time_and_the_log_above(toy_config):
    runner, output = output_of_a_run(toy_config(log_level="INFO"), terminal=True)
    assert "12/12" in output
    assert "left" in output
    assert "epoch 2" in output
    assert "Epoch(train)" in output
    streams = [h.stream for h in runner.logger.handlers if type(h) is logging.StreamHandler]
    assert all(type(stream).__name__ != "FileProxy" for stream in streams)


def test_without_a_terminal_there_is_no_bar(toy_config):
    _, output = output_of_a_run(toy_config(), terminal=False)
    assert output == ""


def test_closing_without_a_bar_does_nothing():
    ProgressBarHook().close()
