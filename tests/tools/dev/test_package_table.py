"""tools/dev/package_table.py: all packages, in the order of the layers, with their first lines."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def call(*words):
    command = [sys.executable, "tools/dev/package_table.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_package_has_a_row_in_the_order_of_the_layers():
    rows = [line.split("|")[1].strip(" `") for line in call().stdout.splitlines()[2:]]
    packages = {file.parent.name for file in (ROOT / "vgtoolbox").glob("*/__init__.py")}
    assert packages <= set(rows)
    order = ["cli", "webui", "inference", "engine", "models", "checkpoint", "structures", "utils"]
    assert [row for row in rows if row in order] == order


def test_a_row_has_the_first_docstring_line():
    first = (ROOT / "vgtoolbox" / "cli" / "__init__.py").read_text().splitlines()[0]
    assert f"| `cli` | {first.strip().strip(chr(34)).rstrip('.')} |" in call().stdout


def test_a_page_is_checked_and_updated(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- packages -->\nold\n<!-- /packages -->\nend\n")
    stale = call("--check", page)
    assert stale.returncode == 1
    assert "outdated" in stale.stderr
    assert call("--into", page).returncode == 0
    assert "| `utils` |" in page.read_text()
    assert page.read_text().endswith("<!-- /packages -->\nend\n")
    assert call("--check", page).returncode == 0


def test_a_page_without_a_place_is_an_error(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n")
    assert call("--into", page).stderr.startswith(f"error: {page} has no lines <!-- packages -->")
