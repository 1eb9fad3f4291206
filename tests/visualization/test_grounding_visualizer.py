import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from vgtoolbox.registry import VISUALIZERS
from vgtoolbox.structures import GroundingDataSample, encode_masks
from vgtoolbox.visualization import GroundingVisualizer

SIZE = (400, 500)


@pytest.fixture
def visualizer():
    return VISUALIZERS.build({"type": "GroundingVisualizer", "name": "drawing"})


@pytest.mark.parametrize("option", ["score_thr", "alpha"])
def test_fractions_are_checked(option):
    with pytest.raises(ValueError, match=f"{option} must be between 0 and 1, got 70"):
        GroundingVisualizer("invalid", **{option: 70})


def test_ground_truth_is_left_of_the_prediction(visualizer, image, sample):
    both = visualizer.draw(image, sample)
    truth = visualizer.draw(image, sample, draw_pred=False)
    prediction = visualizer.draw(image, sample, draw_gt=False)
    assert np.array_equal(both[:, : SIZE[1]], truth)
    assert np.array_equal(both[:, -SIZE[1] :], prediction)
    assert not np.array_equal(truth, prediction)


def test_writes_to_the_backends(image, sample, tmp_path):
    visualizer = GroundingVisualizer(
        "writing", vis_backends=[{"type": "LocalVisBackend"}], save_dir=str(tmp_path)
    )
    visualizer.add_datasample("zebra", image, sample, step=3)
    (file,) = tmp_path.rglob("zebra_3.png")
    written = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
    assert np.array_equal(written, visualizer.draw(image, sample))


def test_image_without_a_sample(visualizer, image):
    visualizer.add_datasample("bare", image)
    assert visualizer.get_image().shape == image.shape


def test_predictions_in_the_input_frame(visualizer):
    masks = torch.ones((1, 32, 32), dtype=torch.bool)
    sample = GroundingDataSample(
        metainfo={
            "expression": "it",
            "ori_shape": SIZE,
            "img_shape": (32, 32),
            "pred_frame": "input",
        },
        gt_instances=InstanceData(boxes_xyxy=torch.tensor([[0.0, 0, 32, 32]]), masks=masks),
        pred_merged_mask=encode_masks(masks)[0],
        pred_no_target=False,
    )
    assert visualizer.draw(np.zeros((32, 32, 3), np.uint8), sample).ndim == 3
    with pytest.raises(ValueError, match="same frame"):
        visualizer.draw(np.zeros((*SIZE, 3), np.uint8), sample)


def test_nothing_to_draw(visualizer, image):
    with pytest.raises(ValueError, match="must have ground truth or predictions"):
        visualizer.draw(image, GroundingDataSample(metainfo={"expression": "it"}))
