"""tools/dev/attack_page.py: the page withstands it, and the table says so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_next_honest_question_is_answered_in_time_and_memory_is_bounded():
    pytest.importorskip("gradio", reason="gradio is not installed")
    done = subprocess.run(
        [sys.executable, "tools/dev/attack_page.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| ", done.stdout, re.MULTILINE)
    sent = [int(count) for name, count in rows if name not in ("opened",)]
    assert sum(sent) >= 200
    memory = dict(re.findall(r"^\| (before|peak|after) \| (\d+) \|$", done.stdout, re.MULTILINE))
    # The largest question alone takes 800 MB, part of which the allocator keeps for the next one.
    assert int(memory["peak"]) - int(memory["before"]) < 1200
    assert int(memory["after"]) - int(memory["before"]) < 800
