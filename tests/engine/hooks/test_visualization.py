from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer
from PIL import Image
from torch.utils.data import DataLoader

from vgtoolbox.engine import build_runner
from vgtoolbox.engine.hooks import GroundingVisualizationHook
from vgtoolbox.engine.runner import prepared
from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.structures import GroundingDataSample, encode_masks

SIZE = (40, 60)


@pytest.fixture
def sample(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(path)
    masks = torch.zeros((1, *SIZE), dtype=torch.bool)
    masks[0, 5:25, 10:40] = True
    instances = {"boxes_xyxy": torch.tensor([[10.0, 5, 40, 25]]), "masks": encode_masks(masks)}
    return GroundingDataSample(
        metainfo={
            "sample_id": "1/2 ü",
            "img_path": str(path),
            "expression": "the square",
            "ori_shape": SIZE,
        },
        gt_instances_ori=InstanceData(**instances),
        pred_instances=InstanceData(**instances, scores=torch.tensor([0.9])),
        pred_merged_mask=instances["masks"][0],
        pred_existence=0.9,
        pred_no_target=False,
    )


class ThresholdGrounder(BaseGrounder):
    """A grounder that has nothing but the threshold that the hook reads."""

    score_thr = 0.5
    loss = predict = tensor = None


@pytest.fixture
def runner(tmp_path):
    visualizer = Visualizer(
        name="test pictures",
        vis_backends=[{"type": "LocalVisBackend"}],
        save_dir=str(tmp_path / "vis"),
    )
    return SimpleNamespace(
        visualizer=visualizer,
        bare_model=ThresholdGrounder(),
        epoch=2,
        val_dataloader=DataLoader(range(10)),
    )


def pictures(tmp_path):
    return sorted((tmp_path / "vis").rglob("*.png"))


def test_as_many_as_asked_spread_over_the_split(runner, sample, tmp_path):
    hook = GroundingVisualizationHook(3)
    for index in range(10):
        sample.set_metainfo({"sample_id": f"sample-{index}"})
        hook.after_val_iter(runner, index, outputs=[sample])
    assert [path.name for path in pictures(tmp_path)] == [
        f"val-sample-{index}_2.png" for index in (0, 4, 9)
    ]


def test_batches_and_their_rest(runner, sample, tmp_path):
    runner.val_dataloader = DataLoader(range(10), batch_size=4)
    hook = GroundingVisualizationHook(3)
    for index, length in enumerate((4, 4, 2)):
        batch = [sample.clone() for _ in range(length)]
        for offset, each in enumerate(batch):
            each.set_metainfo({"sample_id": f"sample-{4 * index + offset}"})
        hook.after_val_iter(runner, index, outputs=batch)
    assert [path.name[:12] for path in pictures(tmp_path)] == [
        "val-sample-0",
        "val-sample-4",
        "val-sample-9",
    ]


def test_a_name_with_anything_in_it_is_a_file(runner, sample, tmp_path):
    GroundingVisualizationHook(1).after_val_iter(runner, 0, outputs=[sample])
    (path,) = pictures(tmp_path)
    assert path.name == "val-1-2-ü_2.png"


def test_shows_both_and_stays_in_its_width(runner, sample, tmp_path):
    GroundingVisualizationHook(1, side=200).after_val_iter(runner, 0, outputs=[sample])
    drawn = Image.open(pictures(tmp_path)[0])
    assert drawn.width == 400
    left, right = (np.array(drawn)[:, half] for half in (slice(0, 190), slice(210, 400)))
    assert not np.array_equal(left, right)  # the prediction has a score


def test_only_every_few_epochs_and_only_of_predictions(runner, sample, tmp_path):
    GroundingVisualizationHook(1, interval=3).after_val_iter(runner, 0, outputs=[sample])
    GroundingVisualizationHook(1).after_val_iter(runner, 0, outputs=[])
    assert pictures(tmp_path) == []


def test_none_at_all(runner, sample, tmp_path):
    GroundingVisualizationHook(0).after_val_iter(runner, 0, outputs=[sample])
    assert pictures(tmp_path) == []


def test_what_can_not_be_drawn_is_a_warning(runner, sample, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        "vgtoolbox.engine.hooks.visualization.print_log", lambda message, **_: said.append(message)
    )
    sample.set_metainfo({"img_path": str(tmp_path / "nowhere.png")})
    GroundingVisualizationHook(1).after_val_iter(runner, 0, outputs=[sample])
    assert "no picture of the validation sample 1/2 ü" in said[0]
    assert "nowhere.png" in said[0]
    assert pictures(tmp_path) == []


@pytest.mark.parametrize("changes", [{"num": -1}, {"interval": 0}, {"side": 0}])
def test_numbers(changes):
    with pytest.raises(ValueError, match="must be 0 or more, interval and side 1 or more"):
        GroundingVisualizationHook(**changes)


def test_is_known_to_configs(toy_config):
    runner = build_runner(
        prepared(toy_config(custom_hooks=[{"type": "GroundingVisualizationHook", "num": 2}]))
    )
    found = [hook for hook in runner.hooks if isinstance(hook, GroundingVisualizationHook)]
    assert [hook.num for hook in found] == [4, 2]  # by default, and the one that was asked for
