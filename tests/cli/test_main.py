import subprocess
import sys
from pathlib import Path

import pytest

from vgtoolbox.cli.main import COMMANDS, TOOLS, main


def test_every_word_has_a_script_that_says_how_it_is_called():
    for command in COMMANDS.values():
        script = TOOLS / command.script
        assert script.is_file()
        for word in command.example.split():
            if word.startswith("--"):
                assert word in script.read_text()


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_all_words_and_an_example_of_each(words, capsys):
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in COMMANDS)
    assert "vgtoolbox demo --img" in printed


def test_an_unknown_word_is_a_mistake_with_a_hint(capsys):
    assert main(["tran"]) == 2
    assert "did you mean 'train'?" in capsys.readouterr().err
    assert main(["zzz"]) == 2
    assert "commands: train" in capsys.readouterr().err


def test_hands_arguments_and_exit_codes_on(capsys):
    before = list(sys.argv)
    assert main(["zoo", "--system", "InstanceVG"]) == 0
    assert "InstanceVG-grefcoco" in capsys.readouterr().out
    assert main(["zoo", "--nonsense"]) == 2
    assert main(["zoo", "--check", str(Path(__file__))]) == 1
    assert sys.argv == before


def test_answers_before_anything_heavy_is_imported():
    code = (
        "import sys; from vgtoolbox.cli.main import main; main(['--help']);"
        "sys.exit(bool({'torch', 'mmengine', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
