"""The README's examples run unchanged, on the checkpoint that is included in the repository."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# CI runs these; a test that runs the tests would never end.
RUN_BY_CI = ("tools/quickstart.sh", "tools/run_tests.sh")


def _blocks(language):
    blocks = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return [block for block in blocks if not any(name in block for name in RUN_BY_CI)]


@pytest.fixture
def in_place(tmp_path):
    """Return a function that moves the image and the output of a block to a temporary folder."""
    picture = tmp_path / "picture.jpg"
    Image.new("RGB", (120, 96), "white").save(picture)

    def put(block):
        block = re.sub(r"data/shapes/images/\w+\.jpg", str(picture), block)
        return block.replace("work_dirs/demo", str(tmp_path / "demo"))

    return put


@pytest.mark.parametrize("block", _blocks("bash"))
def test_shell_example(block, in_place, tmp_path):
    command = in_place(block).replace("python ", f"{sys.executable} ")
    subprocess.run(["bash", "-ec", command], cwd=ROOT, check=True, timeout=120)
    assert len(list((tmp_path / "demo").glob("*.png"))) == 2


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_example(block, in_place):
    subprocess.run([sys.executable, "-c", in_place(block)], cwd=ROOT, check=True, timeout=120)


def test_readme_is_a_router():
    assert len(README.splitlines()) <= 200


def test_the_table_of_packages_has_their_first_docstring_lines():
    command = [sys.executable, "tools/dev/package_table.py", "--check", "README.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}: run tools/dev/package_table.py --into README.md"


def test_every_file_that_the_readme_names_exists():
    named = set(re.findall(r"\b(?:configs|docs|tools|vgtoolbox)/[\w/.-]+\.(?:py|md|sh)", README))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
