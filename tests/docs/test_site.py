"""The pages build as a site: every link resolves, and every page is in the menu."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", ROOT / "pretrain_weights" / "README.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
# Pages name files by their path from one of these.
FOLDERS = (ROOT, ROOT / "vgtoolbox", ROOT / "vgtoolbox" / "models", ROOT / "configs" / "_base_")
NAMED_WRONG = {"configs/shapes/InstanceVG-tiny-shape.py"}  # docs/configs.md shows the error


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_site_builds_without_a_warning(site):
    assert (site / "index.html").is_file()
    assert (site / "images" / "architecture.svg").is_file()


@pytest.mark.slow
def test_the_reference_documents_classes_by_their_docstrings(site):
    page = (site / "reference" / "inference.html").read_text(encoding="utf-8")
    assert 'id="vgtoolbox.inference.GroundingInferencer"' in page
    assert 'id="vgtoolbox.inference.GroundingInferencer.stream"' in page


@pytest.mark.slow
def test_no_page_requests_another_server(site):
    loaded = re.compile(r"<(?:script|img|link rel=\"(?:stylesheet|preconnect)\")[^>]*https?://")
    assert [page.name for page in site.rglob("*.html") if loaded.search(page.read_text())] == []


def test_the_reference_has_every_package():
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    packages = {file.parent.name for file in (ROOT / "vgtoolbox").glob("*/__init__.py")}
    documented = set(re.findall(r"^::: vgtoolbox\.(\w+)", text, flags=re.MULTILINE))
    assert packages - documented == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page):
    tops = (
        "configs|docs|tools|tests|vgtoolbox|models|datasets|inference|engine|evaluation|checkpoint"
    )
    parts = "backbones|decoders|grounders|heads|layers|losses|necks|postprocessors|text_encoders"
    pattern = rf"(?<![\w/.-])(?:{tops}|{parts})/[\w./-]+\.(?:py|md|sh|yml)\b"
    named = set(re.findall(pattern, page.read_text(encoding="utf-8"))) - NAMED_WRONG
    missing = [name for name in named if not any((top / name).is_file() for top in FOLDERS)]
    assert missing == []
