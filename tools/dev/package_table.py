"""Print the table of packages in the README, from the first docstring line of each package.

    python tools/dev/package_table.py [--into README.md | --check README.md]

The order is that of the import contract in pyproject.toml, from the highest layer to the lowest.
--into replaces the lines of a page between `<!-- packages -->` and `<!-- /packages -->`; --check
ends with an error if the page is not up to date.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:  # installed with pytest
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
_PLACE = re.compile(r"(<!-- packages -->\n).*?(<!-- /packages -->)", re.DOTALL)


def read_layers() -> list[list[str]]:
    """Return the packages of each layer of the import contract, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [c["layers"] for c in contracts if c.get("containers") == ["vgtoolbox"]]
    return [re.split(r"\s*[|:]\s*", layer) for layer in layers]


def first_line(name: str) -> str:
    """Return the first docstring line of a package or module, without its full stop."""
    path = ROOT / "vgtoolbox" / name
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".")


def package_table() -> str:
    """Return the table as Markdown, with one row per package."""
    rows = [
        f"| `{name}` | {first_line(name)} |\n" for layer in read_layers() for name in sorted(layer)
    ]
    return "".join(["| `vgtoolbox.` | contents |\n", "|---|---|\n", *rows])


def main(words: list[str] | None = None) -> None:
    """Print, write or compare the table."""
    parser = argparse.ArgumentParser(description="Print the table of packages.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--into", type=Path, metavar="PAGE", help="update the table of a page")
    where.add_argument("--check", type=Path, metavar="PAGE", help="compare it with that of a page")
    arguments = parser.parse_args(words)
    page = arguments.into or arguments.check
    if page is None:
        print(package_table(), end="")
        return
    text = page.read_text(encoding="utf-8")
    place = _PLACE.search(text)
    if place is None:
        sys.exit(f"error: {page} has no lines <!-- packages --> and <!-- /packages -->")
    updated = text[: place.start()] + place[1] + package_table() + place[2] + text[place.end() :]
    if arguments.into:
        page.write_text(updated, encoding="utf-8")
    elif updated != text:
        sys.exit(f"error: the table in {page} is outdated; --into {page} updates it")


if __name__ == "__main__":
    main()
