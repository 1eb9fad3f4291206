import shutil
import tarfile
import zipfile

import pytest

from vgtoolbox.preparation import BENCHMARKS, arrange
from vgtoolbox.preparation.catalogue import known_labels


def run(name, source, root):
    return arrange(BENCHMARKS[name], source, root, known_labels=known_labels())


def zip_folder(folder, path, prefix=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{prefix}{file.relative_to(folder)}")


@pytest.fixture
def source(twins, tmp_path):
    """What a user may have: archives, some folders deep, of three benchmarks and the images."""
    source = tmp_path / "downloads"
    zip_folder(twins / "refcoco", source / "new" / "refcoco.zip", "refcoco/")
    zip_folder(twins / "refcoco+", source / "refcoco+.zip")
    with tarfile.open(source / "grefs.tar.gz", "w:gz") as archive:
        archive.add(twins / "grefcoco", "release")
    zip_folder(twins / "images", source / "train2014.zip", "train2014/")
    return source


def test_archives_are_told_apart_by_the_names_of_their_folders(twins, source, tmp_path):
    root = tmp_path / "data"
    for name in ("refcoco", "refcoco+", "grefcoco"):
        run(name, source, root)
        assert BENCHMARKS[name].missing_files(root) == []
        for file in (twins / name).iterdir():
            assert (root / name / file.name).read_bytes() == file.read_bytes()
    images = {path.name for path in (twins / "images").iterdir()}
    assert {path.name for path in (root / "images" / "train2014").iterdir()} == images


def test_what_is_there_is_left_alone(source, tmp_path):
    root = tmp_path / "data"
    first = run("refcoco", source, root)
    assert [item.place for item in first] == ["refcoco", "images/train2014"]
    assert run("refcoco", source, root) == []


def test_files_of_another_benchmark_are_not_taken(source, tmp_path):
    (source / "new" / "refcoco.zip").unlink()
    run("refcoco", source, tmp_path / "data")
    assert len(BENCHMARKS["refcoco"].missing_files(tmp_path / "data")) == 2


def test_a_folder_of_any_name_will_do_where_it_is_the_only_one(twins, tmp_path):
    shutil.copytree(twins / "ref-zom", tmp_path / "mine" / "from a colleague")
    official = tmp_path / "mine" / "from a colleague" / "Ref-ZOM(final).p"
    official.with_name("refs(final).p").rename(official)
    run("refzom", tmp_path / "mine", tmp_path / "data")
    assert BENCHMARKS["refzom"].missing_files(tmp_path / "data") == []
    assert (tmp_path / "data" / "ref-zom" / "refs(final).p").is_file()


def test_a_file_of_another_format_keeps_its_name(twins, tmp_path):
    shutil.copytree(twins / "grefcoco-odd", tmp_path / "mine" / "grefcoco")
    run("grefcoco", tmp_path / "mine", tmp_path / "data")
    assert (tmp_path / "data" / "grefcoco" / "grefs(unc).p").is_file()


def test_two_folders_that_may_be_meant_are_both_named(twins, tmp_path):
    for name in ("old", "new"):
        shutil.copytree(twins / "ref-zom", tmp_path / "mine" / name)
    with pytest.raises(ValueError, match=r"may be any of these(.|\n)*new(.|\n)*old"):
        run("refzom", tmp_path / "mine", tmp_path / "data")


def test_a_folder_of_images_is_linked(twins, tmp_path):
    shutil.copytree(twins / "images", tmp_path / "coco" / "train2014")
    root = tmp_path / "data"
    done = run("refcoco", tmp_path / "coco", root)
    assert [item.place for item in done] == ["images/train2014"]
    assert (root / "images" / "train2014").samefile(tmp_path / "coco" / "train2014")


def test_a_broken_archive_is_named_and_leaves_nothing(source, tmp_path):
    path = source / "train2014.zip"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"train2014\.zip is broken or no archive"):
        run("refcoco", source, tmp_path / "data")
    assert not (tmp_path / "data" / "images" / "train2014").exists()
    assert not list((tmp_path / "data" / "images").glob(".*"))


def test_a_member_that_would_leave_the_folder_is_refused(tmp_path):
    source = tmp_path / "downloads"
    source.mkdir()
    with zipfile.ZipFile(source / "train2014.zip", "w") as archive:
        archive.writestr("train2014/a.jpg", b"")
        archive.writestr("train2014/../../../outside.jpg", b"")
    with pytest.raises(ValueError, match="outside the folder"):
        run("refcoco", source, tmp_path / "deep" / "data")
    assert not list(tmp_path.rglob("outside.jpg"))


def test_a_source_that_is_none_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder"):
        run("refcoco", tmp_path / "nowhere", tmp_path / "data")
