"""The `vgtoolbox` command: each of its words is one of the scripts in `tools/`.

Nothing heavy is imported here, so that `vgtoolbox --help` answers at once.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from vgtoolbox.version import __version__

TOOLS = Path(__file__).resolve().parents[2] / "tools"
USAGE_ERROR = 2


@dataclass(frozen=True)
class Command:
    """A word of the command line.

    Attributes:
        script: In `tools/`.
        help: One line.
        example: Of its arguments.
    """

    script: str
    help: str
    example: str


COMMANDS = {
    "train": Command(
        "train.py", "train the model of a config", "configs/shapes/InstanceVG-tiny-shapes.py"
    ),
    "test": Command(
        "test.py",
        "measure a checkpoint on the test splits",
        "configs/shapes/InstanceVG-tiny-shapes.py --load-from CKPT",
    ),
    "demo": Command(
        "demo.py", "ask one photograph", '--img photo.jpg --expression "the red circle"'
    ),
    "infer": Command(
        "infer.py",
        "ask many images, and go on after a cut",
        '--images photos --expressions "the red circle" "a dog" --out work_dirs/infer',
    ),
    "webui": Command("webui.py", "open the page to play with", "--port 7860"),
    "data": Command("prepare_data.py", "prepare and check data sets", "check grefcoco --root data"),
    "convert": Command(
        "convert_checkpoint.py",
        "convert a checkpoint from or to its published layout",
        "InstanceVG-grefcoco.pth ours.safetensors",
    ),
    "eval": Command(
        "eval_predictions.py",
        "score a file of predictions",
        "predictions.jsonl --config CONFIG --split val",
    ),
    "benchmark": Command(
        "benchmark.py",
        "measure speed",
        "configs/shapes/InstanceVG-tiny-shapes.py --batch-sizes 1 8",
    ),
    "zoo": Command("analysis/zoo_table.py", "list trained models", "--system InstanceVG"),
    "env": Command("analysis/doctor.py", "print versions, for a report", "--env"),
    "doctor": Command(
        "analysis/doctor.py", "check install, data and weights; say what to do next", ""
    ),
}
_FIXED_ARGUMENTS = {"env": ["--env"]}


def help_text() -> str:
    """Return what `vgtoolbox --help` prints."""
    width = max(map(len, COMMANDS))
    lines = ["usage: vgtoolbox COMMAND [arguments]", ""]
    lines += [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    examples = (
        f"  vgtoolbox {name} {c.example}".rstrip()
        for name, c in COMMANDS.items()
        if name not in _FIXED_ARGUMENTS
    )
    lines += ["", "examples:", *examples]
    lines += ["", "vgtoolbox COMMAND --help explains the arguments of one."]
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 done in part, 2 a mistake in the call."""
    arguments = list(sys.argv[1:] if words is None else words)
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if name in ("-V", "--version"):
        print(f"vgtoolbox {__version__}")
        return 0
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"commands: {', '.join(COMMANDS)}"
        print(f"error: no command {name!r}; {hint}", file=sys.stderr)
        return USAGE_ERROR
    script = TOOLS / COMMANDS[name].script
    if not script.is_file():
        print(
            f"error: {script} is not there: the command works from a checkout of the repository, "
            "installed by pip install -e .",
            file=sys.stderr,
        )
        return USAGE_ERROR
    return _run(script, [*_FIXED_ARGUMENTS.get(name, []), *arguments[1:]])


def _run(script: Path, arguments: Sequence[str]) -> int:
    """Run a script as Python itself would, and return its exit code."""
    before = sys.argv
    sys.argv = [str(script), *arguments]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as exit_:
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
            return 1
        return int(exit_.code or 0)
    finally:
        sys.argv = before
    return 0


if __name__ == "__main__":
    sys.exit(main())
