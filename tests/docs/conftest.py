"""Pages of docs/, unchanged: their code blocks, the files that these write, and their commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vgtoolbox.shapes.world import WorldSpec, prepare_world

REPOSITORY = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (mine/\w+\.py)\n")


@pytest.fixture
def blocks_of():
    """Return a function that reads the blocks (language, text) of a page, in their order."""

    def read(page):
        found = _BLOCK.findall((REPOSITORY / "docs" / page).read_text(encoding="utf-8"))
        assert found, f"{page} has no blocks"
        return found

    return read


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Working directory that looks like the repository, in which a page may write."""
    for name in ("configs", "tools", "pretrain_weights"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_files(checkout):
    """Return a function that writes the Python blocks that begin with the name of a file."""

    def write(blocks):
        written = []
        for language, text in blocks:
            named = _FILE.match(text) if language == "python" else None
            if named:
                written.append(checkout / named.group(1))
                written[-1].parent.mkdir(exist_ok=True)
                written[-1].write_text(text, encoding="utf-8")
        return written

    return write


@pytest.fixture
def run_commands(checkout):
    """Return a function that runs the lines of a shell block in the checkout."""

    def run(commands):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        # If the package is not installed, it is found in the repository.
        packages = f"{REPOSITORY}{os.pathsep}{checkout}"
        done = subprocess.run(
            ["bash", "-euc", commands.replace("PYTHONPATH=.", f"PYTHONPATH={packages}")],
            cwd=checkout,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": packages},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def small_world(tmp_path_factory):
    """Generated shapes with a few scenes."""
    folder = tmp_path_factory.mktemp("world") / "shapes"
    prepare_world(folder, WorldSpec(scale="tiny", seed=0, num_scenes=(12, 2, 4)), workers=1)
    return folder
