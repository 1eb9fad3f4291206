"""Print the table of the model zoo, made from configs/*_metafile.yml.

    python tools/analysis/zoo_table.py [--system InstanceVG] [--into README.md | --check README.md]

--into replaces the lines of a page between `<!-- zoo -->` and `<!-- /zoo -->`. After
`<!-- zoo: first -->` the table has one line per model, and only models with numbers. --check ends
with an error if the page is not up to date.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.zoo import read_zoo, zoo_table

_PLACE = re.compile(r"(<!-- zoo(: first)? -->\n).*?(<!-- /zoo -->)", re.DOTALL)


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Print the table of the model zoo.")
    parser.add_argument("--system", help="only its models, e.g. InstanceVG")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--into", type=Path, metavar="PAGE", help="put it into a Markdown page")
    where.add_argument("--check", type=Path, metavar="PAGE", help="compare it with a page's")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Print, write or compare."""
    arguments = parse_arguments(words)
    models = [m for m in read_zoo().values() if arguments.system in (None, m.system)]
    page = arguments.into or arguments.check
    if page is None:
        print(zoo_table(models), end="")
        return
    text = page.read_text(encoding="utf-8")
    place = _PLACE.search(text)
    if place is None:
        sys.exit(f"error: {page} has no lines <!-- zoo --> and <!-- /zoo -->")
    first_only = place[2] is not None
    shown = [model for model in models if model.results or not first_only]
    table = zoo_table(shown, first_only=first_only)
    updated = text[: place.start()] + place[1] + table + place[3] + text[place.end() :]
    if arguments.check:
        if updated != text:
            sys.exit(f"error: the table in {page} is not that of the metafiles; --into updates it")
        return
    with atomic_file(page) as file:
        file.write(updated.encode())


if __name__ == "__main__":
    with exit_on_user_error():
        main()
