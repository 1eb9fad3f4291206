"""Headers of configs: what a config reproduces, its command, hardware, time and memory."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAVES = sorted(
    file.relative_to(ROOT)
    for file in (ROOT / "configs").glob("*/*.py")
    if file.parent.name != "_base_"
)
CONFIGS = sorted((ROOT / "configs").rglob("*.py"))


def header_of(leaf):
    lines = (ROOT / leaf).read_text(encoding="utf-8").splitlines()
    count = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return [line.removeprefix("#").removeprefix(" ") for line in lines[:count]]


def test_there_are_leaves():
    assert len(LEAVES) > 30


@pytest.mark.parametrize("leaf", LEAVES, ids=str)
def test_a_header_has_the_command_of_its_config(leaf):
    commands = [line for line in header_of(leaf) if "bash tools/dist_" in line]
    assert commands
    assert all(str(leaf) in line for line in commands)


@pytest.mark.parametrize("leaf", LEAVES, ids=str)
def test_a_header_has_results_hardware_time_and_memory(leaf):
    text = "\n".join(header_of(leaf))
    assert re.search(r"\b(?:Ours|ours)\b", text)
    for field in ("Hardware", "Time", "Memory"):
        assert len(re.findall(rf"\b{field}: \S", text)) == 1, field


@pytest.mark.parametrize("leaf", LEAVES, ids=str)
def test_files_that_a_header_names_exist(leaf):
    named = re.findall(
        r"\b((?:configs|docs|tools)/[\w/.-]+\.(?:py|md|sh))", "\n".join(header_of(leaf))
    )
    named += [
        f"{leaf.parent}/{name}"
        for name in re.findall(r"(?<!\S)([A-Z][\w-]+\.py)", "\n".join(header_of(leaf)))
    ]
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("config", CONFIGS, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_config_deletes_no_variables(config):
    """Helper names begin with an underscore instead; `load_config` drops these."""
    statements = ast.parse(config.read_text(encoding="utf-8")).body
    assert not [node for node in statements if isinstance(node, ast.Delete)]
