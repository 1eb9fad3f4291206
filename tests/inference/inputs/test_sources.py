import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.inference.inputs.images import IMAGE_FORMATS, read_image
from vgtoolbox.inference.inputs.sources import (
    IMAGE_SUFFIXES,
    describe_skipped,
    download,
    is_one_image,
    list_images,
)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "[c].png", "deep/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 6), (10, 20, 30)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("just text")
    return tmp_path


@pytest.fixture
def address(folder):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def names(paths):
    return [str(path).replace("\\", "/").rpartition("/")[2] for path in paths]


def test_folder_is_listed_by_name(folder):
    assert names(list_images(folder)) == ["[c].png", "a.PNG", "b.jpg"]
    assert not is_one_image(folder)


def test_pattern_is_replaced_by_its_matches(folder):
    assert names(list_images(f"{folder}/*.jpg")) == ["b.jpg"]
    assert names(list_images(f"{folder}/**/*.jpg")) == ["b.jpg", "d.jpg"]


def test_existing_file_with_brackets_is_not_a_pattern(folder):
    assert is_one_image(folder / "[c].png")
    assert list_images(folder / "[c].png") == [folder / "[c].png"]


def test_list_of_mixed_sources(folder):
    pixels = np.zeros((4, 4, 3), np.uint8)
    found = list_images([pixels, folder, "http://host/x.jpg?a=*", folder / "b.jpg"])
    assert found[0] is pixels
    assert len(found) == 6
    assert found[4] == "http://host/x.jpg?a=*"


def test_folders_and_patterns_without_images(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"contains no images.*\*\*"):
        list_images(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file matches the pattern"):
        list_images(f"{tmp_path}/*.jpg")


def test_url_is_read_like_a_file(folder, address):
    assert np.array_equal(read_image(f"{address}/a.PNG"), read_image(folder / "a.PNG"))
    with pytest.raises(ValueError, match="it contains text"):
        read_image(f"{address}/notes.txt")


def test_failed_and_oversized_downloads(address):
    with pytest.raises(ValueError, match=r"nowhere\.jpg could not be downloaded.*404"):
        download(f"{address}/nowhere.jpg")
    with pytest.raises(ValueError, match="must have at most 0 MiB, got more"):
        download(f"{address}/b.jpg", max_bytes=10)


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_suffix_of_a_folder_can_be_read(tmp_path, suffix):
    image_format = Image.registered_extensions()[suffix]
    assert image_format in (*IMAGE_FORMATS, "MPO")
    Image.new("RGB", (4, 3)).save(tmp_path / f"a{suffix}", image_format)
    (path,) = list_images(tmp_path)
    assert read_image(path).shape == (3, 4, 3)


def test_files_that_a_folder_leaves_out_are_named(tmp_path):
    for name in ("a.png", "b.jfif", "notes.txt", "c.heic"):
        (tmp_path / name).touch()
    assert [Path(path).name for path in list_images(tmp_path)] == ["a.png", "b.jfif"]
    assert describe_skipped(tmp_path) == (
        "2 other files in the folders were skipped: c.heic, notes.txt; convert HEIC files to JPEG "
        "or PNG, for example with the package pillow-heif"
    )
    assert describe_skipped([tmp_path / "a.png", "http://x/y"]) == ""


@pytest.mark.parametrize(
    "name", ["a" * 5000 + ".jpg", "*" * 5000 + "x", "a\0b.jpg", "\ud800.jpg", "[" * 300]
)
def test_names_that_no_file_can_have_are_missing_files(folder, name):
    with pytest.raises(FileNotFoundError):
        for image in list_images(str(folder / name)):
            read_image(image)
