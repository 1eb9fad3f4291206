"""Print the table of the model zoo, made from configs/*_metafile.yml."""

from __future__ import annotations

import argparse
import re
import sys

from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.zoo import read_zoo, zoo_table

_PLACE = re.compile(r"(<!-- zoo(: first)? -->\n).*?(<!-- /zoo -->)", re.DOTALL)


def run(arguments: argparse.Namespace) -> int:
    """Print, write or compare the table; return 1 if a page is not up to date."""
    models = [m for m in read_zoo().values() if arguments.system in (None, m.system)]
    page = arguments.into or arguments.check
    if page is None:
        print(zoo_table(models), end="")
        return 0
    text = page.read_text(encoding="utf-8")
    place = _PLACE.search(text)
    if place is None:
        print(f"error: {page} has no lines <!-- zoo --> and <!-- /zoo -->", file=sys.stderr)
        return 1
    first_only = place[2] is not None
    shown = [model for model in models if model.results or not first_only]
    table = zoo_table(shown, first_only=first_only)
    updated = text[: place.start()] + place[1] + table + place[3] + text[place.end() :]
    if arguments.check:
        if updated != text:
            print(
                f"error: the table in {page} is not up to date; --into updates it", file=sys.stderr
            )
            return 1
        return 0
    with atomic_file(page) as file:
        file.write(updated.encode())
    return 0
