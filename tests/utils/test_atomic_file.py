import errno
import os
import signal
import subprocess
import sys
import textwrap

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


def test_a_full_disk_is_named_with_the_bytes(tmp_path):
    full = pytest.raises(OSError, match=r"no space left for .*file: stopped after 3 bytes")
    with full, atomic_file(tmp_path / "file") as file:
        file.write(b"abc")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_a_folder_is_put_where_there_was_none(tmp_path):
    (tmp_path / "new").mkdir()
    put_folder(tmp_path / "new", tmp_path / "target")
    assert names(tmp_path) == ["target"]
