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
from vgtoolbox.engine.runner import prepare_config
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
    """Grounder with the threshold that the hook reads, and nothing else."""

    score_thr = 0.5
    loss = predict = tensor = None


@pytest.fixture
def runner(tmp_path):
    visualizer = Visualizer(
        name="test drawings",
        vis_backends=[{"type": "LocalVisBackend"}],
        save_dir=str(tmp_path / "vis"),
    )
    return SimpleNamespace(
        visualizer=visualizer,
        bare_model=ThresholdGrounder(),
        epoch=2,
        val_dataloader=DataLoader(range(10)),
    )


def drawings(tmp_path):
    return sorted((tmp_path / "vis").rglob("*.png"))


def test_samples_are_spread_evenly_over_the_split(runner, sample, tmp_path):
    hook = GroundingVisualizationHook(num_samples=3)
    for index in range(10):
        sample.set_metainfo({"sample_id": f"sample-{index}"})
        hook.after_val_iter(runner, index, outputs=[sample])
    assert [path.name for path in drawings(tmp_path)] == [
        f"val-sample-{index}_2.png" for index in (0, 4, 9)
    ]


def test_positions_count_through_batches(runner, sample, tmp_path):
    runner.val_dataloader = DataLoader(range(10), batch_size=4)
    hook = GroundingVisualizationHook(num_samples=3)
    for index, length in enumerate((4, 4, 2)):
        batch = [sample.clone() for _ in range(length)]
        for offset, each in enumerate(batch):
            each.set_metainfo({"sample_id": f"sample-{4 * index + offset}"})
        hook.after_val_iter(runner, index, outputs=batch)
    assert [path.name[:12] for path in drawings(tmp_path)] == [
        "val-sample-0",
        "val-sample-4",
        "val-sample-9",
    ]


def test_sample_ids_become_valid_file_names(runner, sample, tmp_path):
    GroundingVisualizationHook(num_samples=1).after_val_iter(runner, 0, outputs=[sample])
    (path,) = drawings(tmp_path)
    assert path.name == "val-1-2-ü_2.png"


def test_targets_and_predictions_are_drawn_within_the_width(runner, sample, tmp_path):
    GroundingVisualizationHook(num_samples=1, max_width=200).after_val_iter(
        runner, 0, outputs=[sample]
    )
    drawn = Image.open(drawings(tmp_path)[0])
    assert drawn.width == 400
    left, right = (np.array(drawn)[:, half] for half in (slice(0, 190), slice(210, 400)))
    assert not np.array_equal(left, right)  # the prediction has a score


def test_interval_and_empty_outputs_draw_nothing(runner, sample, tmp_path):
    GroundingVisualizationHook(num_samples=1, interval=3).after_val_iter(
        runner, 0, outputs=[sample]
    )
    GroundingVisualizationHook(num_samples=1).after_val_iter(runner, 0, outputs=[])
    assert drawings(tmp_path) == []


def test_zero_samples_draw_nothing(runner, sample, tmp_path):
    GroundingVisualizationHook(num_samples=0).after_val_iter(runner, 0, outputs=[sample])
    assert drawings(tmp_path) == []


def test_errors_while_drawing_are_warnings(runner, sample, tmp_path, monkeypatch):
    messages = []
    monkeypatch.setattr(
        "vgtoolbox.engine.hooks.visualization.print_log",
        lambda message, **_: messages.append(message),
    )
    sample.set_metainfo({"img_path": str(tmp_path / "nowhere.png")})
    GroundingVisualizationHook(num_samples=1).after_val_iter(runner, 0, outputs=[sample])
    assert "cannot draw validation sample 1/2 ü" in messages[0]
    assert "nowhere.png" in messages[0]
    assert drawings(tmp_path) == []


@pytest.mark.parametrize("options", [{"num_samples": -1}, {"interval": 0}, {"max_width": 0}])
def test_invalid_numbers_are_rejected(options):
    with pytest.raises(
        ValueError, match="num_samples must be at least 0, interval and max_width at least 1"
    ):
        GroundingVisualizationHook(**options)


def test_the_hook_is_built_from_configs(toy_config):
    runner = build_runner(
        prepare_config(
            toy_config(custom_hooks=[{"type": "GroundingVisualizationHook", "num_samples": 2}])
        )
    )
    found = [hook for hook in runner.hooks if isinstance(hook, GroundingVisualizationHook)]
    assert [hook.num_samples for hook in found] == [4, 2]  # the default one, and the added one
