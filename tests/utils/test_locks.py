import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from vgtoolbox.utils import locks
from vgtoolbox.utils.locks import OutputInUseError, OutputNotWritableError, lock_output

HOLDER = """
import sys
from vgtoolbox.utils.locks import lock_output
with lock_output(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, os.fspath(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_error_in_a_second_process_names_the_holder_of_the_lock(tmp_path, holder):
    refused = pytest.raises(OutputInUseError, match=f"process {holder.pid} on .*, started 20")
    with refused, lock_output(tmp_path):
        pass


def test_the_lock_of_a_killed_process_can_be_acquired(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with lock_output(tmp_path):
        assert (tmp_path / ".lock.json").exists()


def test_a_lock_is_released_at_the_end_and_after_an_error(tmp_path):
    file = tmp_path / "deep" / "predictions.jsonl"
    with pytest.raises(KeyError), lock_output(file):
        raise KeyError("stopped")
    with lock_output(file):
        pass


def test_two_locks_of_one_process_exclude_each_other(tmp_path):
    with lock_output(tmp_path), pytest.raises(OutputInUseError), lock_output(tmp_path):
        pass


ORPHAN = """
import fcntl, sys, time
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold_as_orphan(folder, seconds):
    """Hold a lock for some seconds in a process other than the one that acquired it, a dead one."""
    pid = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    note = {**OTHER, "pid": int(pid), "host": socket.gethostname()}
    (folder / ".lock.json").write_text(json.dumps(note))
    orphan = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, folder / ".lock", str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert orphan.stdout.readline() == "held\n"
    return pid, orphan


@pytest.mark.skipif(sys.platform == "win32", reason="needs fcntl")
def test_the_orphans_of_a_killed_process_are_waited_for(tmp_path):
    _, orphan = hold_as_orphan(tmp_path, 1.5)
    with lock_output(tmp_path):
        assert json.loads((tmp_path / ".lock.json").read_text())["pid"] == os.getpid()
    orphan.wait(5)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fcntl")
def test_orphans_that_outlive_a_killed_process_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_DEAD_WAIT", 0.3)
    pid, orphan = hold_as_orphan(tmp_path, 60)
    refused = pytest.raises(OutputInUseError, match=f"child processes of a dead run .process {pid}")
    with refused, lock_output(tmp_path):
        pass
    orphan.kill()
    orphan.wait()


OTHER = {"pid": 7, "host": "node-7", "started": "2026-01-01 00:00:00", "command": "train.py"}


def test_a_lock_held_on_another_host_names_the_host(tmp_path):
    with lock_output(tmp_path):
        (tmp_path / ".lock.json").write_text(json.dumps(OTHER))
        refused = pytest.raises(OutputInUseError, match=r"process 7 on node-7, started .*train\.py")
        with refused, lock_output(tmp_path):
            pass


def test_a_lock_left_over_on_another_host_is_taken_over_with_a_warning(tmp_path):
    (tmp_path / ".lock.json").write_text(json.dumps(OTHER))
    with pytest.warns(UserWarning, match="process 7 on node-7.* did not end normally"):  # noqa: SIM117
        with lock_output(tmp_path):
            assert json.loads((tmp_path / ".lock.json").read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "\0"])
def test_a_damaged_note_does_no_harm(tmp_path, text, monkeypatch):
    monkeypatch.setattr(locks, "_NOTE_WAIT", 0.2)
    (tmp_path / ".lock.json").write_text(text)
    with lock_output(tmp_path):
        (tmp_path / ".lock.json").write_text(text)
        with pytest.raises(OutputInUseError, match="another process"), lock_output(tmp_path):
            pass


def test_an_output_that_cannot_be_locked_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    refused = pytest.raises(
        OutputNotWritableError, match=r"deep must be an output .* a folder is needed"
    )
    with refused, lock_output(tmp_path / "file" / "deep"):
        pass

    def fail(self, *arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(locks.FileLock, "acquire", fail)
    with pytest.raises(OutputNotWritableError, match="Permission denied"), lock_output(tmp_path):
        pass


def test_the_lock_of_a_folder_that_is_replaced_is_next_to_it(tmp_path):
    folder = tmp_path / "world"
    with lock_output(folder, inside=False):
        folder.mkdir()
        with pytest.raises(OutputInUseError), lock_output(folder, inside=False):
            pass
    with lock_output(tmp_path / "new", inside=True):
        assert (tmp_path / "new" / ".lock").exists()
