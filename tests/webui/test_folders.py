import pytest

from vgtoolbox.utils.locks import lock_output
from vgtoolbox.webui import folders, page_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_over(temporary, name="vgtoolbox-web-dead"):
    folder = temporary / name
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / "photo.jpg").touch()
    return folder


def test_folder_exists_while_the_page_does(temporary):
    with page_folder() as folder:
        (folder / "photo.jpg").touch()
        assert list(temporary.iterdir()) == [folder]
        assert folder.stat().st_mode & 0o077 == 0
    assert list(temporary.iterdir()) == []


def test_folder_is_removed_after_an_error(temporary):
    with pytest.raises(SystemExit), page_folder():
        raise SystemExit(143)
    assert list(temporary.iterdir()) == []


def test_folders_of_killed_pages_are_removed_and_those_of_others_are_not(temporary):
    dead = left_over(temporary)
    with page_folder() as running:
        new = temporary / "vgtoolbox-web-new"  # its page has not locked it yet
        new.mkdir()
        foreign = left_over(temporary, "other-program")
        with page_folder() as folder:
            assert sorted(temporary.iterdir()) == sorted([foreign, folder, new, running])
    assert not dead.exists()


def test_links_are_not_followed(temporary, tmp_path_factory):
    precious = left_over(tmp_path_factory.mktemp("home"), "vgtoolbox-web-x")
    (temporary / "vgtoolbox-web-link").symlink_to(precious)
    with page_folder():
        pass
    assert (precious / "photo.jpg").exists()


def test_folders_of_other_users_are_left_alone(temporary, monkeypatch):
    dead = left_over(temporary)
    monkeypatch.setattr(folders.os, "getuid", lambda: dead.stat().st_uid + 1)
    with page_folder():
        pass
    assert dead.exists()


def test_locked_folder_is_left_alone(temporary):
    folder = left_over(temporary)
    with lock_output(folder), page_folder():
        assert (folder / "photo.jpg").exists()
