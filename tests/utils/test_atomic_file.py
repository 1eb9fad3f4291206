import pytest

from vgtoolbox.utils.atomic_file import atomic_folder


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_appears_whole_and_replaces_what_stood_there(tmp_path):
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
