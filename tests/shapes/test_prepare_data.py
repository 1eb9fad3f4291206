import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "prepare_data.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_generates_a_dataset_and_does_not_replace_another(tmp_path: Path) -> None:
    counts = ("--num-train", 8, "--num-val", 1, "--num-test", 1, "--workers", 1)
    arguments = ("shapes", "--out", tmp_path / "shapes", *counts)
    made, refused = run(*arguments), run(*arguments, "--seed", 5)
    assert made.returncode == 0, made.stderr
    assert "written" in made.stdout
    assert "no target percent" in made.stdout
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    assert "Traceback" not in refused.stderr
