"""Samples with hand-made predictions, and their results."""

from __future__ import annotations

import pytest
import torch

from vgtoolbox.evaluation import ErrorCriteria, SampleResult, sample_result
from vgtoolbox.structures import encode_masks, merge_rles, rle_boxes_xyxy

SIZE = (10, 10)


def columns(*indices):
    mask = torch.zeros(1, *SIZE, dtype=torch.bool)
    mask[:, :, list(indices)] = True
    return encode_masks(mask)[0]


def build_sample(name, targets, found, scores, *, expression="the red one", boxes=True, **more):
    target_masks, masks = [columns(*t) for t in targets], [columns(*f) for f in found]
    kept = [mask for mask, score in zip(masks, scores, strict=True) if score >= 0.7]
    return {
        "sample_id": name,
        "img_path": f"{name}.jpg",
        "expression": expression,
        "ori_shape": SIZE,
        "gt_instances_ori": {"boxes_xyxy": rle_boxes_xyxy(target_masks), "masks": target_masks},
        "pred_instances": {
            "boxes_xyxy": rle_boxes_xyxy(masks) if boxes else torch.zeros(0, 4),
            "scores": torch.tensor(scores if boxes else []),
            "masks": masks if boxes else [],
        },
        "pred_merged_mask": merge_rles(kept, SIZE),
        "pred_no_target": not kept,
        "pred_existence": max(scores, default=0.1),
        **more,
    }


@pytest.fixture(scope="session")
def sample():
    """Return a function that builds a sample; masks are tuples of columns."""
    return build_sample


@pytest.fixture
def results() -> list[SampleResult]:
    """Return a hit, a correct rejection and three kinds of error."""
    samples = [
        build_sample("hit", [(0,)], [(0,)], [0.9], expression="left red circle"),
        build_sample("rejection", [], [], [], expression="the 2 dogs"),
        build_sample(
            "hallucination",
            [],
            [(4,)],
            [0.95],
            expression="a man who is eating a very large hot dog",
        ),
        build_sample("missed", [(0, 1, 2), (5,)], [(0, 1, 2)], [0.8], expression="both!"),
        build_sample("wrong", [(0,)], [(9,)], [0.99], expression="Something, else"),
    ]
    return [sample_result(each, ErrorCriteria()) for each in samples]
