"""Script tools/analysis/zoo_table.py as a process."""

import subprocess
import sys
from pathlib import Path

import pytest

from vgtoolbox.zoo import read_zoo, zoo_table

ROOT = Path(__file__).parents[2]
PAGE = "# Page\n\n<!-- zoo -->\nold\n<!-- /zoo -->\n\nThe end.\n"


def call(*words):
    command = [sys.executable, "tools/analysis/zoo_table.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_only_the_table_of_a_page_is_updated(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    stale = call("--check", page, "--system", "InstanceVG")
    assert stale.returncode == 1
    assert "is not up to date" in stale.stderr
    assert page.read_text() == PAGE
    assert call("--into", page, "--system", "InstanceVG").returncode == 0
    table = zoo_table([m for m in read_zoo().values() if m.system == "InstanceVG"])
    assert page.read_text() == PAGE.replace("old\n", table)
    assert call("--check", page, "--system", "InstanceVG").returncode == 0


def test_a_page_may_have_one_line_per_model_with_numbers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("<!-- zoo -->", "<!-- zoo: first -->"))
    assert call("--into", page).returncode == 0
    models = [model for model in read_zoo().values() if model.results]
    assert 0 < len(models) < len(read_zoo())
    assert page.read_text().splitlines()[3:-3] == zoo_table(models, first_only=True).splitlines()
    assert len(page.read_text().splitlines()) == len(models) + 8


def test_a_page_without_marks_is_an_error(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n")
    done = call("--into", page)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {page} has no lines <!-- zoo -->")


@pytest.mark.parametrize("page", ["README.md", "docs/zoo.md"])
def test_the_pages_of_the_repository_are_up_to_date(page):
    done = call("--check", page)
    assert done.returncode == 0, done.stderr
