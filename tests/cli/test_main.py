import os
import shlex
import signal
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from vgtoolbox.cli.commands import COMMANDS
from vgtoolbox.cli.main import build_parser, main
from vgtoolbox.cli.options import analysis, data, inference
from vgtoolbox.deployment.acceleration import ACCELERATION_MODES
from vgtoolbox.evaluation.predictions.readers import MaskMerge, PredictionFormat
from vgtoolbox.evaluation.predictions.scoring import MatchKey, MissingPolicy
from vgtoolbox.inference.results.saving import FORMATS as RESULT_FORMATS
from vgtoolbox.preparation import BENCHMARKS
from vgtoolbox.shapes import SCALES, SPLITS
from vgtoolbox.shapes.formats import FORMATS
from vgtoolbox.version import __version__


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_is_valid(name):
    command = COMMANDS[name]
    arguments = build_parser().parse_args([name, *shlex.split(command.example)])
    assert arguments.command == name
    assert callable(import_module(f"vgtoolbox.cli.{command.module}").run)


def test_choices_equal_those_of_the_package():
    """The parsers repeat the choices, because importing them would take seconds."""
    titles = {name: benchmark.title for name, benchmark in BENCHMARKS.items()}
    assert dict(data.BENCHMARK_TITLES) == titles
    assert tuple(SCALES) == data.SCALES
    assert data.SPLITS == SPLITS
    assert tuple(FORMATS) == data.SHAPES_FORMATS
    assert tuple(RESULT_FORMATS) == inference.RESULT_FORMATS
    assert inference.ACCELERATION_MODES == ACCELERATION_MODES
    assert get_args(PredictionFormat) == analysis.LAYOUTS
    assert get_args(MatchKey) == analysis.MATCH_KEYS
    assert get_args(MissingPolicy) == analysis.MISSING_RULES
    assert get_args(MaskMerge) == analysis.MERGE_RULES


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_all_commands_with_examples(words, capsys):
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in COMMANDS)
    assert "vgtoolbox demo --img" in printed


def test_an_unknown_command_is_an_error_with_a_hint(capsys):
    assert main(["tran"]) == 2
    assert "did you mean 'train'?" in capsys.readouterr().err
    assert main(["zzz"]) == 2
    assert "commands: train" in capsys.readouterr().err


def test_passes_on_arguments_and_exit_codes(capsys):
    before = list(sys.argv)
    assert main(["zoo", "--system", "InstanceVG"]) == 0
    assert "InstanceVG-grefcoco" in capsys.readouterr().out
    assert main(["zoo", "--nonsense"]) == 2
    assert main(["zoo", "--check", str(Path(__file__))]) == 1
    assert sys.argv == before


@pytest.mark.parametrize("name", COMMANDS)
def test_help_imports_nothing_heavy(name):
    code = (
        "import sys; from vgtoolbox.cli.main import main;"
        f"assert main([{name!r}, '--help']) == 0;"
        "heavy = {'torch', 'mmengine', 'cv2', 'numpy', 'rich', 'yaml'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: vgtoolbox " + name in done.stdout


def test_the_module_runs_like_the_console_script():
    command = [sys.executable, "-m", "vgtoolbox", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"vgtoolbox {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_contains_the_commands(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name.replace("-", "_") in script.replace("-", "_") for name in COMMANDS)


def allow_interrupts():
    """Undo that a shell lets its background processes, and their children, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(command, until, cwd):
    """Run a command, send SIGINT to it and its children once `until` appears in its output.

    Returns:
        Exit code and output.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=allow_interrupts,
    )
    output = ""
    try:
        for line in process.stdout:
            output += line
            if until in line:
                os.killpg(process.pid, signal.SIGINT)  # like a terminal
                break
        output += process.stdout.read()
        return process.wait(), output
    finally:
        process.kill()


def test_ctrl_c_reports_kept_results_and_how_to_resume(tmp_path):
    for index in range(1000):  # they take far longer than the signal
        Image.new("RGB", (32, 32)).save(tmp_path / f"{index}.png")
    words = ["infer", "--images", ".", "--expressions", "a", "--out", "out"]
    command = [sys.executable, "-m", "vgtoolbox", *words, "--device", "cpu"]
    code, output = interrupt(command, "inference on device", tmp_path)
    assert code == 130, output
    last = output.strip().splitlines()[-1]
    assert last == (
        "interrupted: results so far are in out/predictions.jsonl; run the same command again for "
        "the remaining pairs"
    )
    assert "Traceback" not in output


def test_ctrl_c_says_what_train_kept_and_how_to_resume(tmp_path, monkeypatch):
    engine = Path(__file__).parents[1] / "engine"
    monkeypatch.setenv("PYTHONPATH", str(engine), prepend=os.pathsep)
    words = ["train", str(engine / "toy_config.py"), "--work-dir", "run", "--device", "cpu"]
    options = [
        "train_cfg.max_epochs=1000",
        "train_dataloader.num_workers=1",
        "default_hooks.logger.interval=1",
        "visualizer.vis_backends=[]",
    ]
    command = [sys.executable, "-m", "vgtoolbox", *words, "--cfg-options", *options]
    code, output = interrupt(command, "Saving checkpoint at 2 epochs", tmp_path)
    assert code == 130, output
    assert output.strip().splitlines()[-1] == (
        "interrupted: checkpoints so far are in run; add --resume to the same command to continue"
    )
    assert "Traceback" not in output
    assert (tmp_path / "run" / "epoch_1.pth").is_file()


def test_ctrl_c_during_the_import_of_torch_is_one_line(tmp_path, monkeypatch):
    hook = """
        import os, signal, sys

        def interrupt(event, arguments):
            if event == "import" and arguments[0] == "torch.nn":
                os.kill(os.getpid(), signal.SIGINT)

        sys.addaudithook(interrupt)
    """
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(hook))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    command = [sys.executable, "-m", "vgtoolbox", "train", "InstanceVG-tiny-shapes"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, preexec_fn=allow_interrupts
    )
    assert done.returncode == 130, done.stderr
    assert done.stdout == ""
    assert done.stderr.strip() == (
        "interrupted: checkpoints so far are in work_dirs/InstanceVG-tiny-shapes; add --resume to "
        "the same command to continue"
    )
