import gzip
import shutil
import tarfile
import zipfile

import pytest

from vgtoolbox.preparation import BENCHMARKS, setup_benchmark


def run(name, source, root):
    return setup_benchmark(BENCHMARKS[name], source, root)


def zip_folder(folder, path, prefix=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{prefix}{file.relative_to(folder)}")


@pytest.fixture
def source(world, tmp_path):
    """Folder of downloads: archives of three benchmarks and of the images, partly nested."""
    source = tmp_path / "downloads"
    zip_folder(world / "refcoco", source / "new" / "refcoco.zip", "refcoco/")
    zip_folder(world / "refcoco+", source / "refcoco+.zip")
    with tarfile.open(source / "grefs.tar.gz", "w:gz") as archive:
        archive.add(world / "grefcoco", "release")
    zip_folder(world / "images", source / "train2014.zip", "train2014/")
    return source


def test_archives_are_identified_by_the_names_of_their_folders(world, source, tmp_path):
    root = tmp_path / "data"
    for name in ("refcoco", "refcoco+", "grefcoco"):
        run(name, source, root)
        assert BENCHMARKS[name].missing_files(root) == []
        for file in (world / name).iterdir():
            assert (root / name / file.name).read_bytes() == file.read_bytes()
    images = {path.name for path in (world / "images").iterdir()}
    assert {path.name for path in (root / "images" / "train2014").iterdir()} == images


def test_existing_folders_are_unchanged(source, tmp_path):
    root = tmp_path / "data"
    first = run("refcoco", source, root)
    assert [item.folder for item in first] == ["refcoco", "images/train2014"]
    assert run("refcoco", source, root) == []


def test_files_of_another_benchmark_are_not_taken(source, tmp_path):
    (source / "new" / "refcoco.zip").unlink()
    run("refcoco", source, tmp_path / "data")
    assert len(BENCHMARKS["refcoco"].missing_files(tmp_path / "data")) == 2


def test_single_candidate_folder_can_have_any_name(world, tmp_path):
    shutil.copytree(world / "ref-zom", tmp_path / "mine" / "from a colleague")
    official = tmp_path / "mine" / "from a colleague" / "Ref-ZOM(final).p"
    official.with_name("refs(final).p").rename(official)
    run("refzom", tmp_path / "mine", tmp_path / "data")
    assert BENCHMARKS["refzom"].missing_files(tmp_path / "data") == []
    assert (tmp_path / "data" / "ref-zom" / "refs(final).p").is_file()


def test_file_of_another_format_keeps_its_name(world, tmp_path):
    shutil.copytree(world / "grefcoco-odd", tmp_path / "mine" / "grefcoco")
    run("grefcoco", tmp_path / "mine", tmp_path / "data")
    assert (tmp_path / "data" / "grefcoco" / "grefs(unc).p").is_file()


def test_ambiguous_folders_raise_and_are_listed(world, tmp_path):
    for name in ("old", "new"):
        shutil.copytree(world / "ref-zom", tmp_path / "mine" / name)
    with pytest.raises(ValueError, match=r"must match a single folder(.|\n)*new(.|\n)*old"):
        run("refzom", tmp_path / "mine", tmp_path / "data")


def test_image_folder_is_linked(world, tmp_path):
    shutil.copytree(world / "images", tmp_path / "coco" / "train2014")
    root = tmp_path / "data"
    done = run("refcoco", tmp_path / "coco", root)
    assert [item.folder for item in done] == ["images/train2014"]
    assert (root / "images" / "train2014").samefile(tmp_path / "coco" / "train2014")


def test_damaged_archive_raises_and_leaves_no_files(source, tmp_path):
    path = source / "train2014.zip"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"train2014\.zip is damaged or not an archive"):
        run("refcoco", source, tmp_path / "data")
    assert not (tmp_path / "data" / "images" / "train2014").exists()
    assert not list((tmp_path / "data" / "images").glob(".*"))


def test_archive_member_outside_the_folder_raises(tmp_path):
    source = tmp_path / "downloads"
    source.mkdir()
    with zipfile.ZipFile(source / "train2014.zip", "w") as archive:
        archive.writestr("train2014/a.jpg", b"")
        archive.writestr("train2014/../../../outside.jpg", b"")
    with pytest.raises(ValueError, match="outside the folder"):
        run("refcoco", source, tmp_path / "deep" / "data")
    assert not list(tmp_path.rglob("outside.jpg"))


def test_missing_source_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match="source must be the folder"):
        run("refcoco", tmp_path / "nowhere", tmp_path / "data")


def test_compressed_files_are_set_up(world, tmp_path):
    folder = tmp_path / "mine" / "grefcoco"
    shutil.copytree(world / "grefcoco", folder)
    for name in ("grefs(unc).json", "instances.json"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    run("grefcoco", tmp_path / "mine", tmp_path / "data")
    assert BENCHMARKS["grefcoco"].missing_files(tmp_path / "data") == []
    assert (tmp_path / "data" / "grefcoco" / "instances.json.gz").is_file()
