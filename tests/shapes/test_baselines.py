from pathlib import Path

import pytest
import torch

from vgtoolbox.shapes import WorldSpec, baselines, prepare_world
from vgtoolbox.structures import encode_masks, rle_areas


def instance(x: int, shape: str, color: str, side: int = 10) -> baselines.Instance:
    mask = torch.zeros(1, 40, 60, dtype=torch.bool)
    mask[:, 5 : 5 + side, x : x + side] = True
    return baselines.Instance(
        rle=encode_masks(mask)[0],
        box_xyxy=torch.tensor([x, 5, x + side, 5 + side]).float(),
        words={"shape": shape, "color": color, "size": "big", "texture": "solid"},
    )


INSTANCES = (
    instance(0, "circle", "red"),
    instance(20, "square", "blue", side=20),
    instance(50, "square", "red"),
)


def sample(text: str, *target_ids: int) -> baselines.ExpressionSample:
    return baselines.ExpressionSample(
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
def test_keywords_ignore_word_order(text: str, named: list[int]) -> None:
    prediction = baselines.predict_by_keywords(sample(text))
    assert prediction.boxes_xyxy.tolist() == [INSTANCES[i].box_xyxy.tolist() for i in named]
    assert prediction.no_target is not bool(named)


def test_constant_predictors() -> None:
    samples = sample("the red box", 2)
    assert baselines.predict_nothing(samples).no_target
    assert rle_areas([baselines.predict_nothing(samples).mask])[0] == 0
    assert rle_areas([baselines.predict_whole_image(samples).mask])[0] == 40 * 60
    assert rle_areas([baselines.predict_all_objects(samples).mask])[0] == 600
    assert baselines.predict_largest_object(samples).boxes_xyxy.tolist() == [[20, 5, 40, 25]]


def test_text_only_predictor_learns_biases_of_the_text() -> None:
    """Here "dax" reveals the position, and "wug" that there is no target."""
    samples = [sample("the dax", 0), sample("a dax", 0), sample("a wug"), sample("wug")] * 30
    predictor = baselines.TextOnlyPredictor(samples, epochs=300)
    assert predictor(sample("the wug")).no_target
    prediction = predictor(sample("a dax"))
    assert not prediction.no_target
    assert torch.allclose(prediction.boxes_xyxy, INSTANCES[0].box_xyxy[None], atol=6)
    constant = baselines.TextOnlyPredictor(baselines.drop_text(samples))
    same, other = constant(sample("the wug")), constant(sample("a dax"))
    assert same.mask == other.mask


def test_samples_are_read_from_a_generated_dataset(tmp_path: Path) -> None:
    spec = WorldSpec(scale="tiny", seed=0, num_scenes=(10, 1, 2))
    statistics, _ = prepare_world(tmp_path / "shapes", spec, workers=1)
    samples = baselines.read_samples(tmp_path / "shapes", "train")
    assert len(samples) == statistics["splits"]["train"]["sentences"]
    kinds = {min(len(q.targets), 2) for q in samples}
    assert kinds == {0, 1, 2}
