from pathlib import Path

import pytest
import torch

from vgtoolbox.shapes import WorldSpec, baselines, prepare_world
from vgtoolbox.structures import encode_masks, rle_areas


def instance(x: int, shape: str, colour: str, side: int = 10) -> baselines.Instance:
    mask = torch.zeros(1, 40, 60, dtype=torch.bool)
    mask[:, 5 : 5 + side, x : x + side] = True
    return baselines.Instance(
        rle=encode_masks(mask)[0],
        box_xyxy=torch.tensor([x, 5, x + side, 5 + side]).float(),
        words={"shape": shape, "colour": colour, "size": "big", "texture": "solid"},
    )


INSTANCES = (
    instance(0, "circle", "red"),
    instance(20, "square", "blue", side=20),
    instance(50, "square", "red"),
)


def question(text: str, *target_ids: int) -> baselines.Question:
    return baselines.Question(
        size=(40, 60), tokens=tuple(text.split()), instances=INSTANCES, target_ids=target_ids
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("the red box", [2]),
        ("all large squares", [1, 2]),
        ("the circle left of the square", [0, 1, 2]),
        ("the green circle", []),
        ("everything", [0, 1, 2]),
    ],
)
def test_keywords_see_words_and_not_their_order(text: str, named: list[int]) -> None:
    answer = baselines.keywords(question(text))
    assert answer.boxes_xyxy.tolist() == [INSTANCES[i].box_xyxy.tolist() for i in named]
    assert answer.no_target is not bool(named)


def test_constants() -> None:
    asked = question("the red box", 2)
    assert baselines.nothing(asked).no_target
    assert rle_areas([baselines.nothing(asked).mask])[0] == 0
    assert rle_areas([baselines.whole_image(asked).mask])[0] == 40 * 60
    assert rle_areas([baselines.every_object(asked).mask])[0] == 600
    assert baselines.largest_object(asked).boxes_xyxy.tolist() == [[20, 5, 40, 25]]


def test_words_alone_learn_what_words_tell() -> None:
    """Here "dax" gives the place away and "wug" that there is no target."""
    asked = [question("the dax", 0), question("a dax", 0), question("a wug"), question("wug")] * 30
    predictor = baselines.WordsOnly(asked, epochs=300)
    assert predictor(question("the wug")).no_target
    answer = predictor(question("a dax"))
    assert not answer.no_target
    assert torch.allclose(answer.boxes_xyxy, INSTANCES[0].box_xyxy[None], atol=6)
    constant = baselines.WordsOnly(baselines.without_words(asked))
    same, other = constant(question("the wug")), constant(question("a dax"))
    assert same.mask == other.mask


def test_questions_are_read_from_a_world(tmp_path: Path) -> None:
    spec = WorldSpec(scale="tiny", seed=0, num_scenes=(10, 1, 2))
    statistics, _ = prepare_world(tmp_path / "shapes", spec, workers=1)
    asked = baselines.read_questions(tmp_path / "shapes", "train")
    assert len(asked) == statistics["splits"]["train"]["sentences"]
    kinds = {min(len(q.targets), 2) for q in asked}
    assert kinds == {0, 1, 2}
