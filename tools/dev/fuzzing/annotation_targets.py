"""Annotation readers: each sample of a dataset with its targets, as scoring reads it."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fuzzing.target import ImpossibleValueError, Target
from vgtoolbox.datasets import AnnotationError, RefusedPickleError
from vgtoolbox.engine.target_dataset import TargetDataset
from vgtoolbox.structures import decode_masks, rle_areas
from vgtoolbox.utils.image_files import ImageFileError

ERRORS = (AnnotationError, RefusedPickleError, FileNotFoundError, ImageFileError)
IMAGE = "COCO_train2014_000000000001.jpg"
HEIGHT, WIDTH = 48, 64
_SQUARE = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]]
INSTANCES: dict[str, Any] = {
    "images": [{"id": 1, "file_name": IMAGE, "height": HEIGHT, "width": WIDTH}],
    "annotations": [
        {"id": number, "image_id": 1, "bbox": [2, 2, 10, 10], "segmentation": _SQUARE}
        for number in (11, 12)
    ],
}
_DENSE_LIMIT = 1 << 22
"""Pixels up to which masks are decoded: an image of that size would have to exist otherwise."""


def write_images(folder: Path) -> None:
    """Write the images of the annotations, and `instances.json`."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for name in (IMAGE, "val/one.jpg"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        cv2.imwrite(str(folder / name), pixels)
    (folder / "instances.json").write_text(json.dumps(INSTANCES))


def check_sample(sample: dict[str, Any]) -> None:
    """Raise if the targets of a sample are impossible."""
    height, width = sample["ori_shape"]
    for x1, y1, x2, y2 in sample["boxes_ori"].tolist():
        inside = 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
        if not inside or not all(map(math.isfinite, (x1, y1, x2, y2))):
            raise ImpossibleValueError(f"box {[x1, y1, x2, y2]} in an image of {width} x {height}")
    rles = sample.get("rles_ori", [])
    if rles and int(rle_areas(rles).max()) > height * width:
        raise ImpossibleValueError("a mask has more pixels than its image")
    if rles and height * width <= _DENSE_LIMIT:
        decode_masks(rles, (height, width))
    for text in sample["expressions"]:
        text.encode()


def read(kind: str, **options: Any) -> Callable[[Path], None]:
    """Return a function that reads a dataset in a folder and checks its samples."""

    def run(folder: Path) -> None:
        config = {"type": kind, "data_root": str(folder), "split": "val", **options}
        dataset = TargetDataset(config)
        for position in range(len(dataset)):
            if "targets" in dataset.get_data_info(position):
                check_sample(dataset[position])

    return run


def _with_refs(folder: Path) -> None:
    write_images(folder)
    sentence = {"sent_id": 1, "sent": "the square", "raw": "The square."}
    refs = [
        {"ref_id": n, "ann_id": n, "image_id": 1, "split": "val", "sentences": [sentence]}
        for n in (11, 12)
    ]
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))


def _with_items(folder: Path) -> None:
    write_images(folder)
    item = {
        "image_id": 1,
        "width": WIDTH,
        "height": HEIGHT,
        "expressions": ["the square"],
        "annotations": [{"bbox": [2, 2, 10, 10], "segmentation": _SQUARE}],
    }
    (folder / "instance.json").write_text(json.dumps({"val": [item] * 3}))


def _with_question(folder: Path) -> None:
    write_images(folder)
    shape = {"label": "target", "points": [[2, 2], [12, 2], [12, 12]]}
    content = {"shapes": [shape], "text": ["what is it?"], "is_sentence": True}
    (folder / "val" / "one.json").write_text(json.dumps(content))
    (folder / "explanatory").mkdir()


def _with_conversation(folder: Path) -> None:
    write_images(folder)
    asked = {"from": "human", "value": f"[IMAGE256:{IMAGE}] Segment it."}
    found = {"from": "gpt", "value": f"[MASK-DECODE:none:none:11:{IMAGE}:refcoco]."}
    conversations = [{"conv_id": "c", "conversations": [asked, found]}]
    (folder / "val.json").write_text(json.dumps(conversations))


def _with_list_folder(folder: Path) -> None:
    write_images(folder)
    (folder / "unc").mkdir()


_SEGLLM = read("SegLLMConversationDataset", masks={"refcoco": "masks.json"})

TARGETS = {
    "refcoco-refs": Target("refs(unc).p", read("RefCOCODataset"), ERRORS, write_images),
    "refcoco-instances": Target("instances.json", read("RefCOCODataset"), ERRORS, _with_refs),
    "grefcoco": Target("grefs(unc).json", read("GRefCOCODataset"), ERRORS, write_images),
    "refzom": Target("refs(final).p", read("RefZOMDataset"), ERRORS, write_images),
    "rrefcoco": Target("refs(unc).p", read("RRefCOCODataset"), ERRORS, write_images),
    "fprefcoco": Target(
        "refs(berkeley_exclude_unified).p", read("FPRefCOCODataset"), ERRORS, write_images
    ),
    "instancevg": Target("instance.json", read("InstanceVGJsonDataset"), ERRORS, write_images),
    "instancevg-index": Target(
        "instance_index.json", read("InstanceVGJsonDataset"), ERRORS, _with_items
    ),
    "eevg-list": Target(
        "unc/unc_val.pth", read("EEVGListDataset", name="unc"), ERRORS, _with_list_folder
    ),
    "coco-expressions": Target("val.json", read("COCOExpressionsDataset"), ERRORS, write_images),
    "json-lines": Target("val.jsonl", read("JSONLinesDataset"), ERRORS, write_images),
    "reasonseg": Target(
        "val/one.json", read("ReasonSegDataset", false_premises=True), ERRORS, write_images
    ),
    "reasonseg-explanations": Target(
        "explanatory/train.json", read("ReasonSegDataset"), ERRORS, _with_question
    ),
    "segllm": Target(
        "val.json",
        read("SegLLMConversationDataset", masks={"refcoco": "instances.json"}),
        ERRORS,
        write_images,
    ),
    "segllm-masks": Target("masks.json", _SEGLLM, ERRORS, _with_conversation),
}
