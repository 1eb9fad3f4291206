"""docs/inference.md: its Python blocks run unchanged, on a generated scene as the photo."""

import json

import pytest

from vgtoolbox.zoo import find_model

PAGE = "inference.md"


@pytest.fixture
def photo(checkout, small_world):
    """Working directory with a scene as the photo, and three scenes in the folder of photos."""
    scenes = sorted((small_world / "images").glob("*.jpg"))[:3]
    (checkout / "photo.jpg").write_bytes(scenes[0].read_bytes())
    (checkout / "photos").mkdir()
    for scene in scenes:
        (checkout / "photos" / scene.name).write_bytes(scene.read_bytes())
    return checkout


@pytest.fixture
def examples(blocks_of):
    return [text for language, text in blocks_of(PAGE) if language == "python"]


def test_one_photo_and_three_expressions_in_five_lines(examples, photo, capsys):
    lines = [line for line in examples[0].splitlines() if line]
    assert len(lines) <= 5
    names = {}
    exec(compile(examples[0], PAGE, "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    for expression in names["expressions"]:
        assert sum(repr(expression) in line for line in printed) == 1
    assert len(list((photo / "found").glob("*.png"))) == 3
    assert len(list((photo / "found").glob("*.json"))) == 3


def test_the_other_examples(examples, photo):
    names = {}
    for text in examples[1:]:
        exec(compile(text, PAGE, "exec"), names)
    assert names["heat"].shape == names["picture"].shape
    assert find_model("InstanceVG-tiny-shapes").find_weights().is_file()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_its_commands(blocks_of, photo, run_commands):
    for language, text in blocks_of(PAGE):
        if language == "bash":
            run_commands(text)
    coco = json.loads((photo / "found-many" / "coco.json").read_text())
    assert (len(coco["images"]), len(coco["expressions"])) == (3, 6)
