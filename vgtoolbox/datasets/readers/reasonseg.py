"""Read ReasonSeg: one folder per split, with a LabelMe-like JSON file for each image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import cv2
import numpy as np
import torch
from PIL import ExifTags, Image

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    FieldError,
    describe,
    expect,
    expect_items,
    parse_json,
    read_annotations_file,
)
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record, image_id_of
from vgtoolbox.registry import DATASETS
from vgtoolbox.structures import RLE, encode_masks, rle_boxes_xyxy
from vgtoolbox.utils.choices import check_choice

Texts = Literal["all", "first"]
Shape: TypeAlias = dict[str, Any]

# Splits by query length share one folder on disk.
_FOLDERS = {"test_overall": "test", "test_shortquery": "test", "test_longquery": "test"}
_KINDS = {"test_shortquery": "short", "test_longquery": "long"}
_TARGET, _IGNORED = 1, 255


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class ReasonSegDataset(GroundingDataset):
    """Questions whose answer is a region (Lai et al., LISA, CVPR 2024).

    The folder of the split in `ann_root` contains both images and annotations. All questions of an
    image ask for the same region, the only target; `ignore_mask_ori`, an RLE, marks pixels that the
    annotation leaves undecided. `query_kind` of a record is "long" if the question is a sentence,
    or "short". If `explanatory/train.json` is next to the splits, records of its images have
    `explanation`.

    Args:
        split: Name of the split: train, val, test, test_shortquery, test_longquery or
            test_overall.
        texts: "all" to read all questions about an image, or "first" for the first one alone, as
            in the published evaluation.
        false_premises: Whether to add the questions of `false_premise_QA` (Wu et al., SESAME, CVPR
            2024), which ask for absent objects; `correction` is the answer. `texts` applies to them
            too.

    The other arguments are those of `GroundingDataset`.
    """

    texts: Texts = "all"
    false_premises: bool = False

    def read_entries(self) -> Iterator[Entry]:
        """Yield the annotation files of the split, sorted by name."""
        check_choice("texts", self.texts, get_args(Texts))
        folder = self.ann_dir / _FOLDERS.get(self.split, self.split)
        files = sorted(folder.glob("*.json"))
        if not files:
            raise FileNotFoundError(
                f"no annotations for ReasonSegDataset in {folder.resolve()}; expected\n"
                f"  {folder}/*.json\n  {folder}/*.jpg\n"
                "For the official files, see data/README.md"
            )
        self._explanations = self._read_explanations()
        for file in files:
            yield Entry(file, "its annotation", file)

    def parse_data_info(self, raw_data_info: Path) -> Record | None:
        """Return the record of an image with its questions, or `None` if it has another split."""
        content = _read(raw_data_info)
        kind = "long" if expect(content, "is_sentence", bool | int) else "short"
        if kind != _KINDS.get(self.split, kind):
            return None
        image = raw_data_info.with_suffix(".jpg")
        size = image_size(image)
        region, ignored = paint_shapes(expect_items(content, "shapes", dict), size)
        return {
            "img_path": str(image),
            "image_id": image_id_of(image.name),
            "sample_id": raw_data_info.stem,
            "split": self.split,
            "height": size[0],
            "width": size[1],
            "targets": [] if region is None else [region],
            **self._questions(content, raw_data_info.stem, kind, has_region=region is not None),
            **({} if ignored is None else {"ignore_mask_ori": ignored}),
            **self._explanations.get(image.name, {}),
        }

    def _questions(self, content: Any, name: str, kind: str, *, has_region: bool) -> Record:
        """Return the questions, their kinds, and the corrections of false premises."""
        count = 1 if self.texts == "first" else None
        asked = expect_items(content, "text", str)[:count]
        if not asked:
            raise FieldError("the key 'text' must be one question or more, got none")
        false = _false_premises(content)[:count] if self.false_premises else []
        questions: Record = {
            "expressions": asked + [question for question, _, _ in false],
            "query_kinds": [kind] * len(asked)
            + ["long" if long else "short" for _, long, _ in false],
        }
        if self.false_premises:
            questions["corrections"] = [None] * len(asked) + [answer for _, _, answer in false]
            asked_for = [0] if has_region else []
            questions["expression_targets"] = [asked_for] * len(asked) + [[]] * len(false)
        numbers = range(len(questions["expressions"]))
        return {**questions, "expression_ids": [f"{name}_{number}" for number in numbers]}

    def _read_explanations(self) -> dict[str, Record]:
        """Return `{"explanation": {"query", "outputs"}}` by image name."""
        path = self.ann_dir / "explanatory" / "train.json"
        if not path.is_file():
            return {}
        content = read_annotations_file(path)
        try:
            return {
                expect(item, "image", str): {
                    "explanation": {key: expect(item, key, str) for key in ("query", "outputs")}
                }
                for item in expect_items({"items": content}, "items", dict)
            }
        except FieldError as error:
            raise AnnotationError(f"{path}: {error}") from None


def paint_shapes(
    shapes: list[Shape], size: tuple[int, int]
) -> tuple[dict[str, Any] | None, RLE | None]:
    """Paint labeled polygons over each other, the largest first, as published (LISA).

    A label that contains "ignore" marks pixels to be ignored; polygons labeled "flag" are skipped.
    Coordinates are truncated to whole pixels, and the outline of a polygon belongs to it.

    Args:
        shapes: Polygons `{"label", "points": [[x, y], ...]}`.
        size: Size of the image (H, W).

    Returns:
        The target that remains visible, and the ignored pixels; `None` for each without pixels.

    Raises:
        FieldError: A polygon violates the format.
    """
    canvas = np.zeros(size, np.uint8)
    painted = [
        (_points(shape), _IGNORED if "ignore" in expect(shape, "label", str).lower() else _TARGET)
        for shape in shapes
        if expect(shape, "label", str).lower() != "flag"
    ]
    areas = np.array([_painted_area(points, size) for points, _ in painted], np.uint64)
    for position in np.argsort(areas)[::-1] if painted else ():
        points, value = painted[position]
        _paint(canvas, points, value)
    region, ignored = encode_masks(
        torch.from_numpy(np.stack([canvas == _TARGET, canvas == _IGNORED]))
    )
    x1, y1, x2, y2 = rle_boxes_xyxy([region])[0].tolist()
    target = {"bbox": [x1, y1, x2 - x1, y2 - y1], "segmentation": region, "ann_id": 0}
    return (target if x2 > x1 else None), (ignored if (canvas == _IGNORED).any() else None)


def _points(shape: Shape) -> np.ndarray:
    """Return the corners of a polygon, (P, 2) int32."""
    points = expect_items(shape, "points", list)
    if not points or not all(len(p) == 2 and set(map(type, p)) <= {int, float} for p in points):
        raise FieldError(f"the key 'points' must be pairs of numbers, got {points!r:.60}")
    corners = np.asarray(points, np.float64)
    if not np.isfinite(corners).all() or np.abs(corners).max() > 1e5:
        raise FieldError(f"the key 'points' must be pixel coordinates, got {points!r:.60}")
    return corners.astype(np.int32)


def _painted_area(points: np.ndarray, size: tuple[int, int]) -> int:
    """Count the pixels that a polygon covers; only its bounding box is painted."""
    corner = points.min(0) - 1
    height, width = size
    x1, y1 = np.clip(corner, 0, None)
    x2, y2 = np.clip(points.max(0) + 2, 0, (width, height))
    if x2 <= x1 or y2 <= y1:
        return 0
    part = np.zeros((y2 - y1, x2 - x1), np.uint8)
    _paint(part, points - (x1, y1), 1)
    return int(part.sum())


def _paint(canvas: np.ndarray, points: np.ndarray, value: int) -> None:
    outline = [points.astype(np.int32)]
    cv2.polylines(canvas, outline, True, value, 1)
    cv2.fillPoly(canvas, outline, value)


def image_size(path: Path) -> tuple[int, int]:
    """Return the (H, W) of an image after EXIF rotation, from the header of its file.

    Raises:
        FieldError: The file is missing or not an image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    except (OSError, SyntaxError, ValueError) as error:
        raise FieldError(f"its image {path} cannot be read: {error}") from None
    return (width, height) if is_turned else (height, width)


def _read(path: Path) -> Any:
    """Read JSON in UTF-8, or in cp1252 as in some published files."""
    data = path.read_bytes()
    try:
        return parse_json(data.decode("utf-8"))
    except UnicodeDecodeError:
        return parse_json(data.decode("cp1252", "replace"))


def _false_premises(content: Any) -> list[tuple[str, bool, str]]:
    """Return (question, whether it is a sentence, answer) of each false premise."""
    premises = expect_items(content, "false_premise_QA", list)
    for premise in premises:
        kinds = [type(value) for value in premise]
        if kinds != [str, bool, str]:
            raise FieldError(
                "the key 'false_premise_QA' must be [question, whether it is a sentence, answer], "
                f"got {describe(premise)}"
            )
    return [(question, is_long, answer) for question, is_long, answer in premises]
