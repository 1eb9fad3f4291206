import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "benchmark_datasets.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what memory is private")
def test_it_prints_what_the_index_takes():
    command = [sys.executable, str(SCRIPT), "--expressions", "600", "--workers", "2"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "600 expressions: " in printed
    for method in ("fork", "spawn"):
        (more,) = re.findall(rf"2 workers \({method}\): .* ([-+][\d.]+) MB more", printed)
        assert abs(float(more)) < 50
