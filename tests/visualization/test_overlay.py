import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from vgtoolbox.structures import decode_masks, empty_rle, encode_masks
from vgtoolbox.visualization.overlay import LAYERS, MIN_SIDE, Overlay, display_size, draw_overlay
from vgtoolbox.visualization.palette import REMAINDER_COLOR, instance_color

SIZE = (400, 500)


def tinted(color, alpha=0.4, ground=100):
    return np.rint(ground * (1 - alpha) + np.array(color) * alpha)


def test_each_instance_has_its_own_color(image, make_record):
    drawn = draw_overlay(image, Overlay.from_prediction(make_record(), score_thr=0.7))
    assert drawn.shape == image.shape
    assert (drawn[150, 100] == tinted(instance_color(0))).all()
    assert (drawn[300, 375] == tinted(instance_color(1))).all()
    assert (drawn[390, 250] == 100).all()  # background


def test_labels_are_next_to_their_objects(image, make_record):
    record = make_record()
    labeled = draw_overlay(image, Overlay.from_prediction(record, score_thr=0.7))
    targets = InstanceData(
        boxes_xyxy=torch.tensor(record["boxes_xyxy"]), masks=list(record["masks"])
    )
    bare = draw_overlay(image, Overlay.from_targets(targets, SIZE))
    differs = (labeled != bare).any(-1)
    objects = decode_masks(record["masks"]).any(0).numpy()
    assert differs.any()
    assert not differs[objects].any()
    # Each label is within a few pixels above its box.
    assert differs[75:100, 50:150].any()
    assert differs[225:250, 300:450].any()


def test_only_instances_above_the_threshold_are_drawn(image, make_record):
    overlay = Overlay.from_prediction(make_record(merged_mask=None), score_thr=0.85)
    assert overlay.labels == ("0.90",)
    drawn = draw_overlay(image, overlay)
    assert (drawn[300, 375] == 100).all()
    assert Overlay.from_prediction(make_record(), score_thr=0.9).labels == ()  # equal is not above


def test_no_target_draws_nothing(image, make_record):
    overlay = Overlay.from_prediction(make_record(no_target=True), score_thr=0.7)
    assert (draw_overlay(image, overlay) == image).all()
    empty = make_record(
        boxes_xyxy=[], scores=[], masks=[], merged_mask=empty_rle(SIZE), no_target=False
    )
    assert (draw_overlay(image, Overlay.from_prediction(empty, score_thr=0.7)) == image).all()


def test_part_covered_only_by_the_merged_mask_has_its_own_color(image, make_record):
    record = make_record(scores=[0.9, 0.1])
    drawn = draw_overlay(image, Overlay.from_prediction(record, score_thr=0.7))
    assert (drawn[150, 100] == tinted(instance_color(0))).all()
    assert (drawn[300, 375] == tinted(REMAINDER_COLOR)).all()


def test_boxes_without_masks(image, make_record):
    record = make_record(masks=[], merged_mask=None)
    drawn = draw_overlay(image, Overlay.from_prediction(record, score_thr=0.7))
    assert (drawn[150, 100] == 100).all()
    assert (drawn[101:103, 100] == instance_color(0)).all(-1).any()


def test_dense_targets_equal_run_lengths(targets):
    dense = InstanceData(boxes_xyxy=targets.boxes_xyxy, masks=decode_masks(targets.masks))
    a, b = Overlay.from_targets(targets, SIZE), Overlay.from_targets(dense, SIZE)
    assert (a.masks == b.masks).all()
    assert (a.boxes_xyxy == b.boxes_xyxy).all()


def test_is_deterministic_and_does_not_modify_the_image(image, make_record):
    overlay = Overlay.from_prediction(make_record(), score_thr=0.7)
    before = image.copy()
    assert (draw_overlay(image, overlay) == draw_overlay(image, overlay)).all()
    assert (image == before).all()


def test_resizing_moves_boxes_and_masks_together(make_record):
    overlay = Overlay.from_prediction(make_record(), score_thr=0.7).resized(SIZE, (200, 1000))
    assert overlay.boxes_xyxy.tolist() == [[100, 50, 300, 100], [600, 125, 900, 175]]
    assert overlay.masks.shape == (2, 200, 1000)
    rows, columns = np.nonzero(overlay.masks[0])
    assert (columns.min(), rows.min()) == (pytest.approx(100, abs=2), pytest.approx(50, abs=2))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 2000)])
def test_images_of_a_few_pixels(size):
    mask = torch.ones((1, *size), dtype=torch.bool)
    record = {
        "size": list(size),
        "boxes_xyxy": [[0, 0, size[1], size[0]]],
        "scores": [0.99],
        "masks": encode_masks(mask),
        "merged_mask": encode_masks(mask)[0],
        "no_target": False,
    }
    image = np.full((*size, 3), 100, np.uint8)
    drawn = draw_overlay(image, Overlay.from_prediction(record, score_thr=0.7))
    assert drawn.shape[:2] == display_size(size)
    assert (drawn != 100).any()


def test_only_small_images_are_enlarged():
    assert display_size((64, 128)) == (MIN_SIDE, 2 * MIN_SIDE)
    assert display_size((480, 640)) == (480, 640)
    assert display_size((1, 8192)) == (1, 8192)


def test_image_in_another_frame(make_record):
    overlay = Overlay.from_prediction(make_record(), score_thr=0.7)
    with pytest.raises(ValueError, match="same frame"):
        draw_overlay(np.zeros((32, 32, 3), np.uint8), overlay)


def test_invalid_alpha_and_layers(image):
    overlay = Overlay.empty(SIZE)
    with pytest.raises(ValueError, match="alpha must be between 0 and 1, got 40"):
        draw_overlay(image, overlay, alpha=40)
    with pytest.raises(ValueError, match=r"layers must be 'masks', .* or 'labels', got 'mask'"):
        draw_overlay(image, overlay, layers=["mask"])


class TestLayers:
    def test_points_of_targets_only(self, make_record):
        record = make_record(points_xy=[[100.0, 150.0], [375.0, 300.0]], scores=[0.9, 0.1])
        overlay = Overlay.from_prediction(record, score_thr=0.7)
        assert overlay.points_xy.tolist() == [[100, 150]]
        assert overlay.resized((400, 500), (200, 250)).points_xy.tolist() == [[50, 75]]

    def test_record_without_points(self, make_record):
        assert Overlay.from_prediction(make_record(), score_thr=0.7).points_xy is None
        assert Overlay.from_prediction(make_record(points_xy=[]), score_thr=0.7).points_xy is None

    def test_each_layer_is_drawn_separately(self, image, make_record):
        record = make_record(points_xy=[[100.0, 150.0], [375.0, 300.0]])
        overlay = Overlay.from_prediction(record, score_thr=0.7)
        drawn = {layer: draw_overlay(image, overlay, layers=[layer]) for layer in LAYERS}
        assert np.array_equal(draw_overlay(image, overlay, layers=[]), image)
        assert all((layer_image != image).any() for layer_image in drawn.values())
        changed = (drawn["points"] != image).any(-1)
        assert changed[150, 100]
        assert changed.sum() < 500
        assert (drawn["boxes"] != image).any(-1)[100, 60:140].any()
        assert not (drawn["boxes"] != image).any(-1)[150, 100]
