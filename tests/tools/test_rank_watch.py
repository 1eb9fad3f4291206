"""Two processes of a run: one is stopped or hangs, or the launcher is killed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vgtoolbox.checkpoint import save_checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs /proc (Linux)"),
]
ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "engine"
ENDLESS = ["train_cfg.max_epochs=100000", "train_cfg.val_interval=100000"]
QUIET = ["default_hooks.checkpoint.interval=100000", "default_hooks.pictures.num_samples=0"]

WORKERS = ["train_dataloader.num_workers=2", "train_dataloader.persistent_workers=True"]


def family(pid):
    """Return the living processes that a process has started, at any depth."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(path.parent.name))
    found = list(children.get(pid, []))
    for one in found:  # the list grows
        found += children.get(one, [])
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Run:
    """Run with two processes on the CPU, in a session of its own."""

    def __init__(self, folder, script, options):
        self.log = folder / "log.txt"
        words = [f"tools/dist_{script}.sh", TOY / "toy_config.py", "0", *options]
        with self.log.open("w") as log:
            self.launcher = subprocess.Popen(
                ["bash", *map(str, words)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={
                    **os.environ,
                    "CPU_PROCESSES": "2",
                    "OMP_NUM_THREADS": "1",
                    "PYTHONUNBUFFERED": "1",
                    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                    "PYTHONPATH": os.pathsep.join(
                        [str(TOY), *filter(None, [os.environ.get("PYTHONPATH")])]
                    ),
                },
            )

    @property
    def text(self):
        return self.log.read_text()

    def wait_for(self, pattern, seconds=120):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert self.launcher.poll() is None, self.text[-3000:]
            assert time.monotonic() < end, self.text[-3000:]
            time.sleep(0.2)

    def ranks(self):
        """Return the processes by rank; data loader workers have the same environment."""
        found = {}
        for pid in family(self.launcher.pid):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            if parent == self.launcher.pid and (
                rank := [v for v in variables if v[:5] == b"RANK="]
            ):
                found[int(rank[0][5:])] = pid
        assert sorted(found) == [0, 1]
        return found

    def end(self):
        for pid in [*family(self.launcher.pid), self.launcher.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.launcher.wait()


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a run, which is killed at the end of the test."""
    runs = []

    def call(script, *options):
        words = ["--work-dir", tmp_path / "run", *options]
        runs.append(Run(tmp_path, script, words))
        return runs[-1]

    yield call
    for run in runs:
        run.end()


def train_options(*more):
    return ["--cfg-options", *ENDLESS, *QUIET, "default_hooks.logger.interval=1", *more]


@pytest.fixture
def test_options(tmp_path):
    """Return options of a test of a toy checkpoint that takes minutes."""
    sys.path.insert(0, str(TOY))
    try:
        from toy_grounder import ToyGrounder
    finally:
        sys.path.remove(str(TOY))
    path = tmp_path / "toy.pth"
    save_checkpoint({"state_dict": ToyGrounder().state_dict()}, path)
    length = "test_splits.odd.dataset.length=400000"
    return ["--load-from", path, "--splits", "odd", "--cfg-options", length]


def assert_all_end(pids, seconds):
    end = time.monotonic() + seconds
    while any(map(is_alive, pids)):
        assert time.monotonic() < end, [pid for pid in pids if is_alive(pid)]
        time.sleep(0.2)


@pytest.mark.parametrize("stopped", [0, 1])
def test_a_stopped_rank_of_a_training_is_named(start, stopped):
    run = start("train", *train_options("env_cfg.dist_cfg.rank_timeout=6"))
    run.wait_for(r"Epoch\(train\) +\[3\]")
    ranks = run.ranks()
    os.kill(ranks[stopped], signal.SIGSTOP)
    started = time.monotonic()
    assert_all_end([ranks[1 - stopped]], 30)
    assert time.monotonic() - started > 5
    pattern = (
        rf"error: rank {stopped} \(process {ranks[stopped]} on \S+\) has not responded for 6 s"
    )
    assert re.search(pattern, run.text)
    assert run.launcher.wait(60) != 0  # it kills the stopped process after 30 s
    assert_all_end(list(ranks.values()), 5)


def test_a_stopped_rank_of_a_test_is_named(start, test_options):
    run = start("test", *test_options, "env_cfg.dist_cfg.rank_timeout=6")
    run.wait_for(r"weights loaded")
    time.sleep(3)
    ranks = run.ranks()
    os.kill(ranks[1], signal.SIGSTOP)
    assert_all_end([ranks[0]], 30)
    assert re.search(r"error: rank 1 \(process \d+ on \S+\) has not responded for 6 s", run.text)


def test_a_rank_that_hangs_is_named(start):
    """The main thread of the second process sleeps, while its watch gives signs of life."""
    run = start(
        "train",
        *train_options(
            "env_cfg.dist_cfg.timeout=6", 'custom_hooks=[{"type":"HangHook","rank":1,"at":9}]'
        ),
    )
    run.wait_for(r"Epoch\(train\) +\[1\]")
    ranks = run.ranks()
    assert_all_end([ranks[0]], 60)
    pattern = rf"error: the others have waited for rank 1 \(process {ranks[1]} on \S+\) for 6 s"
    assert re.search(pattern, run.text)


def test_a_rank_that_continues_in_time_is_not_missed(start):
    run = start("train", *train_options("env_cfg.dist_cfg.rank_timeout=8"))
    run.wait_for(r"Epoch\(train\) +\[3\]")
    ranks = run.ranks()
    for pid in (ranks[1], ranks[0]):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(4)
    for pid in ranks.values():
        os.kill(pid, signal.SIGCONT)
    before = len(re.findall(r"Epoch\(train\)", run.text))
    time.sleep(10)
    assert all(map(is_alive, ranks.values()))
    assert len(re.findall(r"Epoch\(train\)", run.text)) > before


@pytest.mark.parametrize("script", ["train", "test"])
def test_no_process_is_left_when_the_launcher_is_killed(start, script, test_options):
    options = test_options if script == "test" else train_options(*WORKERS)
    run = start(script, *options)
    run.wait_for(r"weights loaded" if script == "test" else r"Epoch\(train\) +\[3\]")
    everyone = family(run.launcher.pid)
    ranks = run.ranks()
    assert len(everyone) >= (2 if script == "test" else 6)
    run.launcher.kill()  # torchrun: dist_train.sh and launch.sh replace themselves with it
    run.launcher.wait()
    assert_all_end(everyone, 30)
    for rank in ranks:  # the store of the launcher is lost, too
        reasons = rf"is dead, so rank {rank} ends|rank {rank} lost the connection to the launcher"
        assert re.search(f"error: .*({reasons})", run.text)
