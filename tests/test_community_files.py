"""License, citation, changelog and GitHub files are complete and agree with the package."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pytest
import yaml

from vgtoolbox.version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:  # a dependency of pytest there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
APACHE_2_0_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
PAPERS = {
    *("InstanceVG", "BEiT-3", "GRES", "PLVL", "MLLMSeg", "SegLLM"),
    *("UGround", "READ", "LISA", "GSVA", "SESAME", "PixelLM"),
}
GITHUB = sorted(path for path in (ROOT / ".github").rglob("*") if path.suffix in (".yml", ".yaml"))


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text())


def test_the_license_is_the_official_text():
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0_SHA256


def test_the_project_metadata_names_the_license(project):
    assert project["license"] == "Apache-2.0"
    assert all((ROOT / name).is_file() for name in project["license-files"])
    # Build tools refuse a license classifier next to an SPDX expression.
    assert not [name for name in project["classifiers"] if name.startswith("License")]
    assert project["authors"]
    assert {"Homepage", "Documentation", "Issues", "Changelog"} <= set(project["urls"])


def test_the_metadata_lists_the_supported_versions_of_python(project):
    prefix = "Programming Language :: Python :: 3."
    minors = [
        int(name.removeprefix(prefix)) for name in project["classifiers"] if name.startswith(prefix)
    ]
    low, high = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups())
    assert minors == list(range(low, high))


@pytest.mark.parametrize("folder", ["pretrain_weights", "tests/parity/data"])
def test_shipped_files_have_their_license_next_to_them(folder):
    text = (ROOT / folder / "README.md").read_text()
    assert "## License" in text
    assert "Apache License" in text


def test_the_citation_is_complete(citation):
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license", "repository-code"} <= set(citation)
    assert citation["license"] == "Apache-2.0"
    assert str(citation["version"]) == __version__


def test_each_paper_is_cited(citation):
    references = citation["references"]
    assert {reference["abbreviation"] for reference in references} == PAPERS
    for reference in references:
        assert {"type", "title", "authors", "year"} <= set(reference), reference["title"]
        (arxiv,) = (identifier["value"] for identifier in reference["identifiers"])
        number = re.fullmatch(r"arXiv:(\d{4}\.\d{5})", arxiv)[1]
        assert reference["url"] == f"https://arxiv.org/abs/{number}"


def test_the_newest_version_of_the_changelog_is_the_package():
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(
        r"^## \[([^\]]+)\] - (?:\d{4}-\d{2}-\d{2}|unreleased)$", text, re.MULTILINE
    )
    assert versions[0] == __version__
    assert len(versions) == text.count("\n## ")
    numbers = [tuple(map(int, version.split("."))) for version in versions]
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(f"\n[{version}]: https://" in text for version in versions)


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_github_files_are_valid_yaml(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_the_workflow_runs_the_checks_of_the_project():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    commands = [step.get("run") for step in workflow["jobs"]["checks"]["steps"]]
    assert "bash .ci/run" in commands


def test_the_workflow_tests_the_supported_versions_of_python(project):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    tested = workflow["jobs"]["tests"]["strategy"]["matrix"]["python-version"]
    prefix = "Programming Language :: Python :: 3."
    assert {f"Programming Language :: Python :: {version}" for version in tested} == {
        name for name in project["classifiers"] if name.startswith(prefix)
    }


def test_the_commit_hooks_check_style_types_and_spelling():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = {hook["id"] for repository in config["repos"] for hook in repository["hooks"]}
    assert {"ruff", "ruff-format", "mypy", "codespell"} <= hooks
