"""Entry point of the `vgtoolbox` program."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

from vgtoolbox.cli.commands import COMMANDS, Command
from vgtoolbox.utils.deprecation import show_deprecation_warnings
from vgtoolbox.version import __version__

TRACEBACK_VARIABLE = "VGTOOLBOX_TRACEBACK"
"""Environment variable; if it is set, user errors show where they were raised."""
USAGE_ERROR = 2
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, by the convention of shells."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    examples = (f"  vgtoolbox {name} {c.example}" for name, c in COMMANDS.items() if c.example)
    parser = argparse.ArgumentParser(
        prog="vgtoolbox",
        usage="vgtoolbox COMMAND [arguments]",
        description="Train, test and use visual grounding models.",
        epilog="\n".join(
            ["examples:", *examples, "", "vgtoolbox COMMAND --help explains its arguments."]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"vgtoolbox {__version__}")
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog="vgtoolbox"
    )
    for name, command in COMMANDS.items():
        description = f"{command.help[0].upper()}{command.help[1:]}."
        example = f"example: vgtoolbox {name} {command.example}" if command.example else None
        command.add_arguments(
            subparsers.add_parser(name, help=command.help, description=description, epilog=example)
        )
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        words: Command and its arguments. If `None`, those of the process.

    Returns:
        Exit code: 0 for success, 1 if the command found problems or could not do everything, 2
        for a user error, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if words is None else words)
    _escape_unencodable_output()
    if not words or words[0] == "help":
        words = ["--help"]
    name = words[0]
    if not name.startswith("-") and name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"commands: {', '.join(COMMANDS)}"
        print(f"error: {name!r} is not a command; {hint}", file=sys.stderr)
        return USAGE_ERROR
    try:
        arguments = build_parser().parse_args(words)
    except SystemExit as stop:  # of --help, --version and wrong arguments
        return int(stop.code or 0)
    return _run(COMMANDS[arguments.command], arguments)


def _escape_unencodable_output() -> None:
    """Let `print` escape what the terminal or pipe cannot encode, such as bytes of file names."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(command: Command, arguments: argparse.Namespace) -> int:
    """Run a command; report user errors and Ctrl-C in one line and return the exit code."""
    try:
        show_deprecation_warnings()
        # Heavy imports are delayed until here, so that --help is fast.
        errors = import_module("vgtoolbox.cli.errors")
        module = import_module(f"vgtoolbox.cli.{command.module}")
        mistakes: tuple[type[Exception], ...] = (*errors.USER_ERRORS, *command.user_errors)
        try:
            return int(module.run(arguments) or 0)
        except mistakes as error:
            if os.environ.get(TRACEBACK_VARIABLE):
                raise
            print(f"error: {errors.user_message(error)}", file=sys.stderr)
            return USAGE_ERROR
    except KeyboardInterrupt:
        print(f"\ninterrupted: {command.interrupted(arguments)}", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
