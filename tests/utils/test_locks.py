import os
import signal
import subprocess
import sys

import pytest

from vgtoolbox.utils.locks import OutputInUseError, lock_output

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
