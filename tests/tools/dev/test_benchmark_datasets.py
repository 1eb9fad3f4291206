import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools" / "dev" / "benchmark_datasets.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs the /proc of Linux")
def test_prints_the_memory_of_the_index():
    command = [sys.executable, str(SCRIPT), "--expressions", "600", "--workers", "2"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "600 expressions: " in printed
    for method in ("fork", "spawn"):
        (more,) = re.findall(rf"2 workers \({method}\): .* ([-+][\d.]+) MB more", printed)
        assert abs(float(more)) < 50
