"""docs/own_data.md, run as it stands: files are written and commands run, in its order."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "own_data.md"
_BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_photographs_to_answers(tmp_path):
    for name in ("configs", "tools"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) >= 6
    for kind, text in blocks:
        if kind == "python":
            file = tmp_path / text.splitlines()[0].removeprefix("# ")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        else:
            run(text, tmp_path)
    mine = tmp_path / "mine"
    assert "splits" in json.loads((mine / "report" / "metrics.json").read_text())
    assert len(list((mine / "found").glob("*.png"))) == 2
    assert len(json.loads((mine / "all" / "coco.json").read_text())["images"]) == 20
    assert len(list((mine / "run").rglob("val-*.png"))) == 8  # four an epoch


def run(commands, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
