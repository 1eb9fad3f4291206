import json

import pytest

from vgtoolbox.datasets import ConcatGroundingDataset, JSONLinesDataset
from vgtoolbox.datasets.annotations.annotation_files import FieldError
from vgtoolbox.datasets.annotations.image_names import image_file
from vgtoolbox.datasets.image_identity import ImageFile, ImageIndex, image_key
from vgtoolbox.datasets.records import image_id_of

SEVEN = "000000000007.jpg"


@pytest.mark.parametrize(
    ("name", "key", "image_id"),
    [
        ("COCO_val2014_000000581857.jpg", "000000581857", 581857),
        ("train2017/000000581857.jpg", "000000581857", 581857),
        ("000000581857.jpg", "000000581857", 581857),
        ("cam1/000000000012.jpg", "cam1/000000000012.jpg", "cam1/000000000012.jpg"),
        ("frame_000000000012.jpg",) * 3,
        ("cam1/frame.png",) * 3,
    ],
)
def test_only_images_of_coco_are_identified_by_a_number(name, key, image_id):
    assert (image_key(name), image_id_of(name)) == (key, image_id)


def _file(folder, name, content=None):
    path = folder / name
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return ImageFile(str(path), name)


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        # Without files, the path below the root decides.
        (("a", "cam1/1.png", None), ("a", "cam1/1.png", None), True),
        (("a", "cam1/1.png", None), ("b", "cam1/1.png", None), True),
        (("a", "cam1/1.png", None), ("a", "cam2/1.png", None), False),
        # Files of equal bytes are one, whatever their names.
        (("a", "1.png", b"same"), ("b", "x/2.png", b"same"), True),
        (("a", "1.png", b"some"), ("b", "x/2.png", b"more"), False),
        (("train", "1.png", b"one"), ("val", "1.png", b"two"), False),
        (("train", "1.png", b"one"), ("val", "1.png", b"one"), True),
        # COCO's numbers are one without a look at the files.
        (("a", f"COCO_val2014_{SEVEN}", b"1"), ("b/val2017", SEVEN, b"2"), True),
        (("cam1", SEVEN, b"1"), ("cam2", SEVEN, b"2"), False),
        (("cam1", SEVEN, None), ("cam2", SEVEN, None), True),
        (("a", f"COCO_val2014_{SEVEN}", b"1"), ("b", "dog.jpg", b"1"), True),
    ],
)
def test_copies_are_found(tmp_path, one, other, are_one):
    first, second = (_file(tmp_path / root, name, data) for root, name, data in (one, other))
    for image, index in ((first, ImageIndex([second])), (second, ImageIndex([first]))):
        assert (index.find(image) is not None) == are_one


def test_files_are_not_read_on_request(tmp_path):
    one, other = _file(tmp_path, "1.png", b"same"), _file(tmp_path, "2.png", b"same")
    assert ImageIndex([one], compare_files=False).find(other) is None


def _lines(folder, name, images, **options):
    lines = [{"image": image, "expression": "it", "boxes": []} for image in images]
    (folder / name).write_text("\n".join(map(json.dumps, lines)))
    config = {"data_root": str(folder), "ann_file": name, "split": "a", "image_root": "images"}
    return JSONLinesDataset(**{**config, **options})


def test_datasets_exclude_images_by_path(tmp_path):
    val = _lines(tmp_path, "val.jsonl", ["cam2/frame.png", "cam3/frame.png"])
    names = ["cam1/frame.png", "cam2/frame.png", "cam4/frame.png"]
    train = _lines(tmp_path, "train.jsonl", names, exclude_images_of=[val], indices=2)
    kept = [str(tmp_path / "images" / name) for name in ("cam1/frame.png", "cam4/frame.png")]
    assert [record["img_path"] for record in train.data_list] == kept
    mixture = ConcatGroundingDataset(
        [_lines(tmp_path, "train.jsonl", names)], exclude_images_of=[val]
    )
    assert mixture.image_keys() == {"cam1/frame.png", "cam4/frame.png"}


def test_excluded_images_are_counted_in_the_log(tmp_path, monkeypatch):
    messages = []
    monkeypatch.setattr(JSONLinesDataset, "_log", lambda self, message: messages.append(message))
    val = _lines(tmp_path, "val.jsonl", ["1.png"])
    _lines(tmp_path, "train.jsonl", ["1.png", "1.png", "2.png"], exclude_images_of=[val])
    assert messages == ["left out 2 of 3 samples, whose images are excluded"]


@pytest.mark.parametrize(
    ("name", "existing"),
    [
        ("a/1.png", "a/1.png"),
        ("a\\1.png", "a/1.png"),
        ("my%20photo.png", "my photo.png"),
        ("b\\my%20photo.png", "b/my photo.png"),
        ("1.png ", "1.png"),
        ("100%.png", "100%.png"),
        ("a/../1.png", "1.png"),
    ],
)
def test_names_of_other_systems_are_read(tmp_path, name, existing):
    (tmp_path / "a").mkdir()
    (tmp_path / existing).parent.mkdir(exist_ok=True)
    (tmp_path / existing).touch()
    path = image_file(tmp_path, name)
    assert (tmp_path / existing).samefile(path)


def test_a_file_of_the_very_name_has_precedence(tmp_path):
    for name in ("my%20photo.png", "my photo.png"):
        (tmp_path / name).touch()
    assert image_file(tmp_path, "my%20photo.png") == str(tmp_path / "my%20photo.png")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "must be the path of a file, got ''"),
        (" ", "must be the path of a file"),
        ("a\0b", "must be the path of a file"),
        ("é" * 200 + ".png", "must be the path of a file"),
        ("\ud800.png", "must be the path of a file"),
        ("a/" * 3000 + "1.png", "must be the path of a file"),
        ("../1.png", r"must be below image_root .* got '\.\./1\.png'"),
        ("a/../../1.png", "must be below image_root"),
        ("..\\1.png", "must be below image_root"),
        ("/etc/passwd", "must be below image_root"),
        ("/dev/zero", "must be below image_root"),
        ("C:\\photos\\1.png", r"got the absolute path 'C:"),
        ("https://host/1.png", "got the URL 'https://host/1.png'; download it"),
        ("file:///tmp/1.png", "got the URL"),
    ],
)
def test_names_outside_the_folder_are_errors(tmp_path, name, message):
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "1.png").touch()
    with pytest.raises(FieldError, match=message):
        image_file(root, name)


def test_absolute_names_are_read_below_their_root(tmp_path):
    name = str(tmp_path / "1.png")
    assert image_file(tmp_path, name) == name
    assert JSONLinesDataset(image_root="/", split="a", lazy_init=True).image_path(name) == name
