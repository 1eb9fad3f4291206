import gzip
import json

import pytest
from PIL import Image

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError
from vgtoolbox.preparation.checks import check_benchmark
from vgtoolbox.preparation.own_data import own_benchmark


def check(file, images):
    return check_benchmark(own_benchmark(file, images), file.parent)


@pytest.mark.parametrize(
    ("name", "splits"), [("instances.json", ["test", "train", "val"]), ("val.jsonl", ["all"])]
)
def test_generated_files_have_no_problems(world, name, splits):
    report = check(world / "own" / name, world / "images")
    assert report.all_problems == []
    assert [split.name for split in report.splits] == splits
    assert all(split.refs for split in report.splits)


def test_problems_of_json_lines_name_their_line(world, tmp_path):
    image = next((world / "images").iterdir()).name
    lines = [
        {"image": image, "expression": "the disc", "boxes": [[1, 2, 9, 12]]},
        {"image": image, "expression": " ", "boxes": []},
        {"image": "nothing.jpg", "expression": "the disc", "boxes": None},
        {"image": image, "expression": "the disc", "boxes": [[1, 2, 900, 12]]},
        {"expression": "the disc"},
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{\n")
    found = {
        (f.kind, f.location.split(", ")[2]) for f in check(file, world / "images").all_problems
    }
    assert found == {
        ("expression-empty", "line 2"),
        ("image-missing", "line 3"),
        ("box-outside", "line 4"),
        ("format", "line 5"),
        ("format", "line 6"),
    }


def test_file_of_another_format_raises(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text('{"captions": []}')
    with pytest.raises(AnnotationError, match="must be COCO JSON"):
        own_benchmark(file, tmp_path)
    with pytest.raises(FileNotFoundError):
        own_benchmark(tmp_path / "nowhere.json", tmp_path)


def photo(path, color):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), color).save(path)


def coco(folder, images, **annotation):
    """Write a COCO file with one annotation per image."""
    annotations = [
        {
            "id": 10 + image["id"],
            "image_id": image["id"],
            "bbox": [2, 2, 10, 10],
            "expressions": ["the box"],
            **annotation,
        }
        for image in images
    ]
    images = [{"height": 24, "width": 32, **image} for image in images]
    file = folder / "mine.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    return file


def test_equal_names_in_two_folders_are_two_images(tmp_path):
    for name, color in (("cam1/frame.png", "red"), ("cam2/frame.png", "blue")):
        photo(tmp_path / name, color)
    images = [
        {"id": 1, "file_name": "cam1/frame.png", "split": "train"},
        {"id": 2, "file_name": "cam2/frame.png", "split": "val"},
    ]
    report = check(coco(tmp_path, images), tmp_path)
    assert (report.all_problems, report.notes) == ([], [])


@pytest.mark.parametrize("digits", ["000000000007", "frame_000000000007"])
def test_twelve_digits_of_a_video_are_not_a_number_of_coco(tmp_path, digits):
    names = [f"cam1/{digits}.png", f"cam2/{digits}.png"]
    images = [
        {"id": i, "file_name": name, "split": split}
        for i, (name, split) in enumerate(zip(names, ("train", "val"), strict=True))
    ]
    for name, color in zip(names, ("red", "blue"), strict=True):
        photo(tmp_path / name, color)
    assert check(coco(tmp_path, images), tmp_path).all_problems == []


def test_one_path_in_two_splits_is_shared_and_a_copy_is_noted(tmp_path):
    photo(tmp_path / "a.png", "red")
    photo(tmp_path / "b.png", "red")
    lines = [
        {"image": image, "expression": "it", "boxes": [], "split": split}
        for image, split in (("a.png", "train"), ("a.png", "val"), ("b.png", "test"))
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    report = check(file, tmp_path)
    assert [(p.kind, p.location.split(",")[0]) for p in report.all_problems] == [
        ("image-shared", "val")
    ]
    # Splits are checked in alphabetical order.
    assert [(p.kind, p.location.split(",")[0]) for p in report.notes] == [("image-copied", "train")]


def test_two_ids_of_one_file_are_a_problem(tmp_path):
    photo(tmp_path / "1.png", "red")
    images = [{"id": i, "file_name": "1.png", "split": "train"} for i in (1, 2, 2)]
    (problem,) = check(coco(tmp_path, images[:2]), tmp_path).all_problems
    assert problem.kind == "image-repeated"
    assert problem.message == f"{tmp_path / '1.png'} is the file of image 1 and of image 2"


def test_file_without_expressions_is_a_problem(tmp_path):
    photo(tmp_path / "1.png", "red")
    file = coco(tmp_path, [{"id": 1, "file_name": "1.png"}])
    content = json.loads(file.read_text())
    content["annotations"][0]["caption"] = content["annotations"][0].pop("expressions")[0]
    file.write_text(json.dumps(content))
    (problem,) = check(file, tmp_path).all_problems
    assert problem.kind == "file"
    assert "keys with texts: 'caption' of 'annotations'" in problem.message


@pytest.mark.parametrize(
    ("name", "existing"), [("1.JPG", "1.jpg"), ("caf\u00e9.png", "cafe\u0301.png")]
)
def test_missing_image_names_a_similar_file(tmp_path, name, existing):
    photo(tmp_path / "images" / existing, "red")
    file = coco(tmp_path, [{"id": 1, "file_name": name}])
    (problem,) = check(file, tmp_path / "images").all_problems
    assert problem.kind == "image-missing"
    assert problem.message.endswith(f"there is {existing!r}, which differs in spelling")


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.json", "mine.jsonl.gz", "mine.json.gz"])
def test_lines_are_recognized_and_broken_ones_keep_their_split(tmp_path, name):
    photo(tmp_path / "1.png", "red")
    lines = [
        {"image": "1.png", "expression": text, "boxes": [], "split": split}
        for text, split in (("la boîte", "train"), ("b", "val"))
    ]
    data = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode("latin-1")
    file = tmp_path / name
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    report = check(file, tmp_path)
    assert [split.name for split in report.splits] == ["train", "val"]
    messages = {p.message for p in report.all_problems if p.kind == "format"}
    (message,) = messages
    assert message.startswith("the text must be UTF-8, got the byte 0xee")


def test_a_single_line_and_an_array_are_read(tmp_path):
    photo(tmp_path / "1.png", "red")
    line = {"image": "1.png", "expression": "it", "boxes": []}
    for name, content in (("a.json", line), ("b.jsonl", [line]), ("c.ndjson", line)):
        (tmp_path / name).write_text(json.dumps(content))
        report = check(tmp_path / name, tmp_path)
        assert (report.all_problems, report.splits[0].expressions) == ([], 1)


def test_pickles_are_refused(tmp_path):
    (tmp_path / "mine.pkl").write_bytes(b"\x80\x02]q\x00.")
    with pytest.raises(AnnotationError, match="must be JSON or JSON lines, got a pickle"):
        own_benchmark(tmp_path / "mine.pkl", tmp_path)
