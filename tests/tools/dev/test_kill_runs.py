import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "tools" / "dev"
FAULTS = ("lost", "doubled", "torn", "unequal", "left over")
NONE = {"--train": (0, 0), "--infer": (0,), "--prepare": (0,), "--reports": (0,)}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")


@pytest.fixture
def killing(monkeypatch):
    """Return the modules of the script."""
    monkeypatch.syspath_prepend(str(FOLDER))
    from killing import campaign, forks

    return campaign, forks


def run_script(out, **kills):
    counts = {**NONE, **{f"--{name}": numbers for name, numbers in kills.items()}}
    words = [str(word) for name, numbers in counts.items() for word in (name, *numbers)]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "kill_runs.py"), *words, "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kills", "commands"),
    [
        ({"train": (8, 0)}, ["train-1"]),
        ({"train": (0, 6)}, ["train-2"]),
        ({"infer": (8,)}, ["infer"]),
        ({"prepare": (8,)}, ["prepare-formats", "prepare-overwrite"]),
        ({"reports": (6,)}, ["test", "eval", "errors"]),
    ],
)
def test_killed_runs_lose_nothing(tmp_path, kills, commands):
    rows = run_script(tmp_path, **kills)
    assert [row["command"] for row in rows] == commands
    assert sum(row["kills"] for row in rows) == sum(*kills.values())
    for row in rows:
        assert [row[kind] for kind in ("lost", "doubled", "torn", "unequal", "left over")] == [
            0
        ] * 5
        assert row["starts"] == row["kills"] + row["completed"]
        assert row["orphans"] == 0
        assert row["two at once"] == ("-" if "reports" in kills else "one is refused")


def test_differences_of_folders_are_found(killing, tmp_path):
    campaign, _ = killing
    reference, folder = tmp_path / "reference", tmp_path / "folder"
    for place in (reference, folder):
        (place / "part").mkdir(parents=True)
        (place / "part" / "same").write_text("1")
        (place / ".lock").write_text(place.name)
    (reference / "missing").write_text("1")
    (folder / "more").write_text("1")
    (reference / "other").write_text("whole")
    (folder / "other").write_text("who")

    def kinds(**options):
        return [fault.kind for fault in campaign.compare_trees(folder, reference, **options)]

    assert kinds() == ["lost", "left over", "unequal"]
    assert kinds(partial=True) == ["left over", "torn"]


def appending(campaign, forks, *, is_careful):
    """Return a scenario whose run appends the numbers 0 to 9, and resumes if it is careful."""

    class Appending(campaign.Scenario):
        name = "append"

        def words(self, folder):
            return [str(folder)]

        def start(self, folder, *, log=None):
            run = forks.ForkedRun.__new__(forks.ForkedRun)
            run.ranks = [
                forks.multiprocessing.get_context("fork").Process(
                    target=append_numbers, args=(folder / "numbers", is_careful)
                )
            ]
            run.started = time.monotonic()
            run.ranks[0].start()
            return run

        def faults(self, folder, reference):
            return []

        def final_faults(self, folder, reference):
            return list(campaign.compare_trees(folder, reference))

    return Appending


def append_numbers(path, is_careful):
    done = len(path.read_text()) if is_careful and path.is_file() else 0
    for number in range(done, 10):
        with path.open("a") as file:
            file.write(str(number))
        temporary = path.with_name(f".{number}.tmp")
        temporary.touch()
        time.sleep(0.01)
        temporary.unlink()
    for left in path.parent.glob(".*.tmp"):
        left.unlink()


def test_a_run_that_resumes_has_no_faults(killing, tmp_path):
    campaign, forks = killing
    scenario = appending(campaign, forks, is_careful=True)(tmp_path)
    outcome = campaign.run_scenario(scenario, kills=10, rng=random.Random(0))
    assert len(outcome.kills) == 10
    assert outcome.starts == 10 + outcome.completed
    assert outcome.faults == []
    assert sum(kill.while_writing for kill in outcome.kills) >= 5


def test_a_run_that_starts_over_is_found(killing, tmp_path):
    campaign, forks = killing
    scenario = appending(campaign, forks, is_careful=False)(tmp_path)
    outcome = campaign.run_scenario(scenario, kills=4, rng=random.Random(0))
    assert {fault.kind for fault in outcome.faults} == {"unequal"}


def test_a_process_with_threads_is_not_forked(killing, monkeypatch):
    _, forks = killing
    monkeypatch.setattr(forks, "_MODULES", ())
    monkeypatch.setattr(forks.Path, "iterdir", lambda self: iter(["1", "2"]))
    with pytest.raises(RuntimeError, match="must have one thread before it forks, got 2"):
        forks.preload()
