"""docs/configs.md: every command prints what the page says it prints."""

import re
import runpy
import shlex
import sys

import pytest

_COMMAND = re.compile(r"^\$ python (tools/\S+) (.*)\n((?:(?!\$ ).*\n?)*)", re.MULTILINE)


@pytest.fixture
def printed(capsys, monkeypatch):
    """Return a function that runs a tool in this process and gives what it prints."""

    def run(script, words):
        monkeypatch.setattr(sys, "argv", [script, *words])
        with pytest.raises(SystemExit):
            runpy.run_path(script, run_name="__main__")
        captured = capsys.readouterr()
        return captured.out + captured.err

    return run


def test_every_command_prints_what_the_page_says(blocks_of, write_files, printed):
    blocks = blocks_of("configs.md")
    assert len(write_files(blocks)) == 2
    commands = [
        match.groups()
        for language, text in blocks
        if language == "console"
        for match in _COMMAND.finditer(text)
    ]
    assert len(commands) == sum(text.count("$ ") for kind, text in blocks if kind == "console")
    for script, words, expected in commands:
        assert printed(script, shlex.split(words)) == expected, words
