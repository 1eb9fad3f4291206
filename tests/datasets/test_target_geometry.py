"""Masks and boxes that annotation tools or attackers write, through every reader and to the end."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from vgtoolbox.datasets import (
    AnnotationError,
    COCOExpressionsDataset,
    EEVGListDataset,
    InstanceVGJsonDataset,
    JSONLinesDataset,
    RefCOCODataset,
)
from vgtoolbox.structures import rle_areas, segmentation_to_rle

SIZE = (48, 64)
BOX = [2, 2, 10, 10]
SQUARE = [2, 2, 12, 2, 12, 12, 2, 12]
IMAGE = "COCO_train2014_000000000001.jpg"
PIPELINE = ({"type": "LoadImage"}, {"type": "LoadTargets"})
ABOUT_IMAGE = {"id": 1, "file_name": IMAGE, "height": SIZE[0], "width": SIZE[1]}


@pytest.fixture(autouse=True)
def image(tmp_path):
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / IMAGE)


def coco(folder, box, mask, **options):
    annotation = {"id": 11, "image_id": 1, "bbox": box, "expressions": ["a"]}
    content = {"images": [ABOUT_IMAGE], "annotations": [{**annotation, **mask}]}
    (folder / "own.json").write_text(json.dumps(content))
    return COCOExpressionsDataset(data_root=folder, ann_file="own.json", split="val", **options)


def refcoco(folder, box, mask, **options):
    said = [{"sent_id": 5, "sent": "a", "raw": "a"}]
    ref = {"ref_id": 1, "ann_id": 11, "image_id": 1, "split": "val", "sentences": said}
    (folder / "refs(unc).p").write_bytes(pickle.dumps([ref], protocol=2))
    annotation = {"id": 11, "image_id": 1, "bbox": box, **mask}
    content = {"images": [ABOUT_IMAGE], "annotations": [annotation]}
    (folder / "instances.json").write_text(json.dumps(content))
    return RefCOCODataset(data_root=folder, split="val", **options)


def instancevg(folder, box, mask, **options):
    item = {"image_id": 1, "file_name": IMAGE, "height": SIZE[0], "width": SIZE[1]}
    annotations = [{"bbox": box, "id": 11, **mask}]
    content = {"val": [{**item, "expressions": ["a"], "annotations": annotations}]}
    (folder / "instance.json").write_text(json.dumps(content))
    return InstanceVGJsonDataset(data_root=folder, split="val", **options)


def lines(folder, box, mask, **options):
    entry = {"image": IMAGE, "expression": "a", "boxes": [box]}
    entry |= {"masks": [mask["segmentation"]]} if "segmentation" in mask else {}
    (folder / "own.jsonl").write_text(json.dumps(entry))
    options = {"ann_file": "own.jsonl", "split": "val", "box_format": "xywh", **options}
    return JSONLinesDataset(data_root=folder, **options)


def eevg(folder, box, mask, **options):
    row = (IMAGE, "coco", [*box, *mask.get("segmentation", [])], "a", "")
    (folder / "unc").mkdir(exist_ok=True)
    torch.save([row], folder / "unc" / "unc_val.pth")
    return EEVGListDataset(data_root=folder, name="unc", split="val", **options)


def annotation_of(read):
    """Return the name of the annotation in messages of a reader."""
    return {lines: "annotation 0", eevg: "annotation 0"}.get(read, "annotation 11")


READERS = (coco, refcoco, instancevg, lines, eevg)
NAMES = {coco: "own.json", refcoco: "instances.json", instancevg: "instance.json"}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("mask", [{"segmentation": []}, {"segmentation": [[]]}, {}])
def test_an_empty_segmentation_means_box_only(tmp_path, read, mask):
    dataset = read(tmp_path, BOX, mask, pipeline=PIPELINE)
    assert dataset.get_data_info(0)["targets"][0]["segmentation"] is None
    with pytest.raises(
        AnnotationError, match=r"a target must have a mask, got only a box; .*with_"
    ):
        dataset[0]
    boxes_alone = ({"type": "LoadImage"}, {"type": "LoadTargets", "with_masks": False})
    sample = read(tmp_path, BOX, mask, pipeline=boxes_alone)[0]
    assert sample["boxes_ori"].tolist() == [[2, 2, 12, 12]]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([0, 0, 1e9, 0, 1e9, 1e9, 0, 1e9], r"polygon 0, must be inside"),
        ([0, 0, 1e5, 0, 9, 9], r"polygon 0, must be inside .*\(100000\.0, 0\)"),
        ([-900, 0, 9, 0, 9, 9], r"polygon 0, must be inside .*\(-900, 0\)"),
        ([math.nan, 8, 24, 8, 24, 20], "polygon 0, must be numbers, all finite"),
        ([8, 8, 24, 8, math.inf, 20], "polygon 0, must be numbers, all finite"),
        ([2, 2, 12, 12], "must have at least 3 points"),
        ([*SQUARE, 3], "must have at least 3 points"),
    ],
)
def test_a_bad_polygon_is_an_error_that_names_file_and_annotation(tmp_path, read, polygon, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        read(tmp_path, BOX, {"segmentation": [polygon]}, pipeline=PIPELINE)[0]
    text = str(caught.value)
    assert "\n" not in text
    assert NAMES.get(read, "") in text
    assert annotation_of(read) in text


@pytest.mark.parametrize("read", (coco, refcoco, instancevg))
@pytest.mark.parametrize("polygon", [[0, 0, 1e9, 0, 9, 9], [math.nan, 8, 24, 8, 24, 20]])
def test_a_bad_polygon_is_found_when_the_files_are_read(tmp_path, read, polygon):
    """Before a worker process loads the sample, and it can be skipped."""
    mask = {"segmentation": [polygon]}
    with pytest.raises(AnnotationError, match="annotation 11"):
        read(tmp_path, BOX, mask)
    with pytest.raises(ValueError, match="has no samples"):
        read(tmp_path, BOX, mask, corrupted="skip")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("part", [[30, 30, 31, 31], [30, 30, 31, 31, 5], [4.5, 4.5], []])
def test_bad_parts_are_dropped_with_one_warning(tmp_path, read, part):
    messages = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "vgtoolbox.datasets.base.print_log", lambda message, **_: messages.append(message)
        )
        dataset = read(tmp_path, BOX, {"segmentation": [SQUARE, part]}, pipeline=PIPELINE)
    assert dataset.get_data_info(0)["targets"][0]["segmentation"] == [SQUARE]
    assert [rle_areas([rle])[0] for rle in dataset[0]["rles_ori"]] == [100]
    dropped = [message for message in messages if "dropped" in message]
    assert len(dropped) == 1
    assert "dropped 1 polygons" in dropped[0]
    assert f"{annotation_of(read)}, polygon 1 of " in dropped[0]
    assert NAMES.get(read, "") in dropped[0]


RLE = segmentation_to_rle([SQUARE], SIZE)


@pytest.mark.parametrize("read", (coco, refcoco, instancevg, lines))
@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (RLE["counts"][:-3], "pixels, the image has 3072|complete number"),
        ([98, 10], "2 runs of 108 pixels, the image has 3072"),
        ([3082, -10], "the shortest -10"),
        ("PPPPPPPPPP0", "at most 6 characters"),
        ("é", 'characters "0" to "o" only'),
    ],
)
def test_bad_run_lengths_name_file_sample_and_annotation(tmp_path, read, counts, message):
    mask = {"segmentation": {"size": list(SIZE), "counts": counts}}
    dataset = read(tmp_path, BOX, mask, pipeline=PIPELINE)
    with pytest.raises(AnnotationError, match=message) as caught:
        dataset[0]
    for part in (NAMES.get(read, "own.jsonl"), "sample ", IMAGE, annotation_of(read)):
        assert part in str(caught.value)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("box", [[0.125, 0.2, 0.25, 0.25], [0, 0, 1, 1], [0.5, 0.5, 1.0, 0.5]])
def test_boxes_in_fractions_are_an_error(tmp_path, read, box):
    with pytest.raises(AnnotationError, match=r"must have boxes in pixels.*fractions of the image"):
        read(tmp_path, box, {})


def test_one_box_in_pixels_is_enough(tmp_path):
    box = [0.5, 0.5, 0.75, 0.5]  # a box of less than a pixel
    entries = [{"image": IMAGE, "expression": "a", "boxes": [box, [2, 2, 12, 12]]}]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, entries)))
    dataset = JSONLinesDataset(data_root=tmp_path, ann_file="own.jsonl", split="val")
    assert len(dataset.get_data_info(0)["targets"]) == 2


def test_an_overhang_of_rounding_is_clipped(tmp_path):
    mask = {"segmentation": [[-1, 0, 66, 0, 66, 20, -1, 20]]}
    (rle,) = coco(tmp_path, [0, 0, 64, 20], mask, pipeline=PIPELINE)[0]["rles_ori"]
    assert rle_areas([rle]).tolist() == [64 * 20]
