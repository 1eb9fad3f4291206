"""Fixture that runs scripts within the test process."""

import runpy
import sys

import pytest


@pytest.fixture
def run_script(monkeypatch, capsys):
    """Return a function that runs a script and returns exit code, stdout and stderr."""

    def run(script, *words):
        monkeypatch.setattr(sys, "argv", [str(word) for word in (script.stem, *words)])
        code = 0
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as exit_:
            code = exit_.code
        return code, *capsys.readouterr()

    return run
