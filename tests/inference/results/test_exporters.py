import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from vgtoolbox.inference import GroundingResult, coco_dataset
from vgtoolbox.inference.results.exporters import labelstudio_rle
from vgtoolbox.structures import encode_masks

SIZE = (60, 80)


def make_result(**changes):
    masks = torch.zeros((3, *SIZE), dtype=torch.bool)
    masks[0, 10:30, 20:60], masks[1, 40:50, 0:10], masks[2, 0:5, 0:5] = True, True, True
    values = {
        "id": "photo-it",
        "image": "photo.jpg",
        "expression": "it",
        "size": list(SIZE),
        "boxes_xyxy": [[20.0, 10, 60, 30], [0, 40, 10, 50], [0, 0, 5, 5]],
        "scores": [0.8, 0.9, 0.1],
        "masks": encode_masks(masks),
        "merged_mask": encode_masks(masks[:2].any(0, keepdim=True))[0],
        "no_target": False,
        "existence": 0.95,
        "text": None,
    }
    points = ((40.0, 20.0), (5.0, 45.0), (2.0, 2.0))
    return GroundingResult({**values, **changes}, points_xy=points)


NOTHING = {"no_target": True, "scores": [0.1, 0.2, 0.1], "existence": 0.1}


def read_labelstudio_rle(encoded):
    """Decode a stream of bits like Label Studio's converter."""
    bits = iter("".join(f"{byte:08b}" for byte in encoded))

    def take(count):
        return int("".join(next(bits) for _ in range(count)), 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values = []
    while len(values) < total:
        repeated = take(1)
        length = take(sizes[take(2)]) + 1
        values += [take(word)] * length if repeated else [take(word) for _ in range(length)]
    return np.array(values)


class TestCoco:
    def test_boxes_areas_and_masks_of_the_targets(self):
        best, second = make_result().to_coco(image_id=7)
        assert best["bbox"] == [0, 40, 10, 10]
        assert (best["area"], best["image_id"], best["score"]) == (100, 7, 0.9)
        assert second["bbox"] == [20, 10, 40, 20]
        assert second["segmentation"] == make_result().candidates[0].rle

    def test_boxes_without_masks(self):
        (entry,) = make_result(masks=[], scores=[0.8, 0.1, 0.1]).to_coco()
        assert "segmentation" not in entry
        assert entry["area"] == 800

    def test_pycocotools_reads_the_file(self, tmp_path):
        results = [make_result(), make_result(expression="none", **NOTHING)]
        results.append(make_result(image="other.jpg", masks=[]))
        path = tmp_path / "coco.json"
        path.write_text(json.dumps(coco_dataset(results)))
        coco = COCO(path)
        assert [image["file_name"] for image in coco.imgs.values()] == ["photo.jpg", "other.jpg"]
        assert [len(coco.getAnnIds(image)) for image in coco.imgs] == [2, 2]
        assert coco.annToMask(coco.anns[2]).sum() == 20 * 40
        expressions = coco.dataset["expressions"]
        assert [entry["no_target"] for entry in expressions] == [False, True, False]
        assert expressions[1]["annotation_ids"] == []


class TestSupervision:
    def test_contains_the_targets(self):
        detections = make_result().to_supervision()
        assert detections.xyxy.tolist() == [[0, 40, 10, 50], [20, 10, 60, 30]]
        np.testing.assert_allclose(detections.confidence, [0.9, 0.8])
        assert detections.mask.shape == (2, *SIZE)
        assert detections.mask.sum((1, 2)).tolist() == [100, 800]
        assert list(detections["class_name"]) == ["it", "it"]

    def test_without_targets_or_masks(self):
        assert len(make_result(**NOTHING).to_supervision()) == 0
        assert make_result(masks=[]).to_supervision().mask is None


class TestLabelStudio:
    def test_rectangles_in_percent(self):
        task = make_result().to_labelstudio()
        regions = task["predictions"][0]["result"]
        assert [r["type"] for r in regions] == ["rectanglelabels", "brushlabels"] * 2
        value = regions[2]["value"]
        assert (value["x"], value["width"]) == (25.0, 50.0)
        assert (value["y"], value["height"]) == pytest.approx((100 / 6, 100 / 3))
        assert len({r["id"] for r in regions}) == 4
        assert (regions[0]["original_width"], regions[0]["original_height"]) == (80, 60)

    def test_is_json_with_image_and_expression(self):
        task = json.loads(json.dumps(make_result(**NOTHING).to_labelstudio()))
        assert task["data"] == {"image": "photo.jpg", "expression": "it"}
        assert task["predictions"][0]["result"] == []

    @given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**16))
    def test_decoder_restores_the_mask(self, height, width, seed):
        mask = np.random.default_rng(seed).random((height, width)) > 0.6
        values = read_labelstudio_rle(labelstudio_rle(mask))
        assert np.array_equal(values.reshape(height, width, 4), mask[..., None].repeat(4, 2) * 255)

    def test_run_longer_than_the_largest_length(self):
        mask = np.ones((150, 200), bool)
        mask[0, 0] = False
        values = read_labelstudio_rle(labelstudio_rle(mask)).reshape(150, 200, 4)
        assert np.array_equal(values[..., 0] == 255, mask)


class TestResized:
    def test_boxes_points_and_masks_scale(self):
        large = make_result().resized((180, 160))
        assert large.size == (180, 160)
        first = large.candidates[0]
        assert first.box_xyxy == (40, 30, 120, 90)
        assert first.point == (80, 60)
        assert first.mask.shape == (180, 160)
        assert first.mask.sum() == 6 * 800
        assert large.merged_mask.shape == (180, 160)

    def test_resizing_back_restores_the_result(self):
        result = make_result()
        assert result.resized((180, 160)).resized(SIZE) == result
        assert result.resized(SIZE) is result

    def test_without_masks_and_candidates(self):
        empty = replace(
            make_result(boxes_xyxy=[], scores=[], masks=[], merged_mask=None), points_xy=()
        )
        assert empty.resized((6, 8)).candidates == []
        assert empty.resized((6, 8)).size == (6, 8)
