import errno
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from vgtoolbox.utils import atomic_file as module
from vgtoolbox.utils.atomic_file import atomic_file, atomic_folder, put_folder


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_appears_whole_and_replaces_the_existing_one(tmp_path):
    target = tmp_path / "deep" / "target"
    for content in ("old", "new"):
        with atomic_folder(target) as folder:
            (folder / content).write_text(content)
            assert not (target / content).exists()
    assert names(tmp_path) == ["deep", "deep/target", "deep/target/new"]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(KeyError), atomic_folder(target) as folder:
        (folder / "new").write_text("new")
        raise KeyError("disk")
    assert names(tmp_path) == ["target", "target/old"]


def test_folders_are_replaced_where_the_system_cannot_exchange_them(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_exchange", lambda one, other: False)
    test_a_folder_appears_whole_and_replaces_the_existing_one(tmp_path)


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(KeyError), atomic_file(target) as file:
        file.write(b"new")
        raise KeyError("disk")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_writers_of_one_file_do_not_share_a_temporary_file(tmp_path):
    target = tmp_path / "file"
    with atomic_file(target) as one:
        one.write(b"one")
        with atomic_file(target) as other:
            other.write(b"other")
        assert target.read_bytes() == b"other"
    assert target.read_bytes() == b"one"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["file", "a*b[1].json", "notes.v1.txt"])
@pytest.mark.parametrize("kind", ["atomic_file", "atomic_folder"])
def test_leftovers_of_killed_processes_are_removed(tmp_path, kind, name):
    script = f"""
        import os, signal, sys
        from vgtoolbox.utils.atomic_file import {kind}
        with {kind}(sys.argv[1]) as place:
            os.kill(os.getpid(), signal.SIGKILL)
    """
    target = tmp_path / name
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), os.fspath(target)], check=False
        )
        assert ended.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1  # the second run removed the leftover of the first
    with atomic_file(target) as file:
        file.write(b"whole")
    assert names(tmp_path) == [name]


def test_temporary_files_of_other_hosts_and_strange_names_are_kept(tmp_path):
    others = [".file.elsewhere@1-abc.tmp", ".file.tmp", f".file.{module._host()}@x-1.tmp"]
    for other in others:
        (tmp_path / other).write_text("")
    with atomic_file(tmp_path / "file") as file:
        file.write(b"x")
    assert names(tmp_path) == sorted([*others, "file"])


def test_a_temporary_file_of_another_host_is_removed_a_day_later(tmp_path):
    other = tmp_path / ".file.elsewhere@1-abc.tmp"
    other.write_text("")
    os.utime(other, (time.time() - 90_000,) * 2)
    with pytest.warns(UserWarning, match="of a killed run is removed"):
        module.remove_leftovers(tmp_path / "file")
    assert names(tmp_path) == []


FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
import vgtoolbox.utils.atomic_file as module

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    {body}
except OSError as error:
    print(error)
"""
WRITES_BYTES = """
    with module.atomic_file(Path(sys.argv[1], "file"), expected_bytes=300_000) as file:
        for _ in range(3):
            file.write(b"x" * 99_999)
"""
WRITES_TENSORS = """
    import torch
    from vgtoolbox.checkpoint import save_checkpoint
    save_checkpoint({"state_dict": {"weight": torch.ones(50_000)}}, Path(sys.argv[1], "file"))
"""
WRITES_A_RELEASE = """
    import torch
    from vgtoolbox.checkpoint import save_released
    save_released({"weight": torch.ones(50_000)}, "", Path(sys.argv[1], "file.safetensors"))
"""
FILLS_A_FOLDER = """
    with module.atomic_folder(Path(sys.argv[1], "folder")) as folder:
        (folder / "one").write_bytes(b"x" * 50_000)
        (folder / "two").write_bytes(b"x" * 150_000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            WRITES_BYTES,
            r"no space left for .*file: .* after 100000 of about 300000 bytes, \d+ bytes",
        ),
        (WRITES_TENSORS, r"no space left for .*file: .* after \d+ of about 200\d\d\d bytes"),
        (WRITES_A_RELEASE, r"no space left for .*file.safetensors: .* of about 200\d\d\d bytes"),
        (FILLS_A_FOLDER, r"no space left for .*folder: .* after 150000 bytes, \d+ bytes are free"),
    ],
    ids=["file", "checkpoint", "release", "folder"],
)
def test_a_file_system_that_takes_no_more_is_named_with_the_bytes(tmp_path, body, message):
    script = FILLS_THE_DISK.replace("    {body}", body)
    done = subprocess.run(
        [sys.executable, "-c", script, os.fspath(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(message, done.stdout), done.stdout + done.stderr
    assert names(tmp_path) == []
    assert done.stderr == ""


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_an_exhausted_quota_leave_the_old_file(tmp_path, monkeypatch, code):
    def fail(self, data):
        raise OSError(code, os.strerror(code))

    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(module._File, "write", fail)
    full = pytest.raises(OSError, match=r"no space left for .*file: .* free some space")
    with full as caught, atomic_file(tmp_path / "file") as file:
        file.write(b"abc")
    assert caught.value.errno == code
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_folder_between_two_renames_of_a_killed_run_is_taken_back(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_exchange", lambda one, other: False)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    hidden = tmp_path / f".data.{module._host()}@{dead.pid}-abc.replaced"
    hidden.mkdir()
    (hidden / "old").write_text("old")
    with pytest.warns(UserWarning, match=r"data was restored from .*replaced of a killed run"):
        module.remove_leftovers(tmp_path / "data")
    assert names(tmp_path) == ["data", "data/old"]
    (tmp_path / "data").rename(hidden)
    (tmp_path / "data").mkdir()
    with pytest.warns(UserWarning, match=r"replaced of a killed run is removed"):
        module.remove_leftovers(tmp_path / "data")
    assert names(tmp_path) == ["data"]


def test_a_zombie_counts_as_dead(tmp_path):
    zombie = subprocess.Popen([sys.executable, "-c", "print('done')"], stdout=subprocess.PIPE)
    zombie.stdout.read()
    for _ in range(200):
        if not module.is_alive(zombie.pid):
            break
        time.sleep(0.05)
    assert Path(f"/proc/{zombie.pid}").exists() or not Path("/proc").is_dir()
    assert not module.is_alive(zombie.pid) or not Path("/proc").is_dir()
    zombie.wait()


def test_a_folder_is_put_where_there_was_none(tmp_path):
    (tmp_path / "new").mkdir()
    put_folder(tmp_path / "new", tmp_path / "target")
    assert names(tmp_path) == ["target"]
