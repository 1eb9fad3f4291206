import json

import pytest

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
