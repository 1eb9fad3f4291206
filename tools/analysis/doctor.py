"""Check the installation, the device, the data and the weights, and say what to do next.

    python tools/analysis/doctor.py [--data-root data] [--env]

--env prints versions alone, to be put into a report. The exit code is 1 where something is broken;
what is merely absent is no fault.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from vgtoolbox.cli.doctor import Finding, State, environment, examine, next_step
from vgtoolbox.cli.errors import exit_on_user_error

MARKS: dict[State, str] = {
    "good": "[green]ok[/]",
    "absent": "[yellow]--[/]",
    "broken": "[red]!![/]",
}


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Check install, device, data and weights.")
    parser.add_argument("--data-root", type=Path, default=Path("data"), metavar="D")
    parser.add_argument("--env", action="store_true", help="print versions alone")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Examine, print, and return the exit code."""
    arguments = parse_arguments(words)
    console = Console()
    if arguments.env:
        for name, version in environment().items():
            console.print(f"{name}: {version}", highlight=False, markup=False)
        return 0
    by_state: dict[State, list[Finding]] = {"good": [], "absent": [], "broken": []}
    for finding in examine(arguments.data_root):
        by_state[finding.state].append(finding)
        remedy = f"  [dim]{escape(finding.remedy)}[/]" if finding.remedy else ""
        line = f"{MARKS[finding.state]} {escape(finding.what)}: {escape(finding.found)}{remedy}"
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"\n{escape(next_step(by_state))}", highlight=False, soft_wrap=True)
    return 1 if by_state["broken"] else 0


if __name__ == "__main__":
    with exit_on_user_error():
        sys.exit(main())
