from itertools import pairwise

import numpy as np
import pytest
import torch

from vgtoolbox.datasets.readers.grefcoco import GRefCOCODataset
from vgtoolbox.datasets.transforms import RandomApply, Resize
from vgtoolbox.datasets.transforms.tracing import step_name, trace_pipeline


@pytest.fixture
def dataset(official_tree, pipeline):
    pipeline["targets"]["dense"] = False
    steps = {"flip": {"type": "RandomHorizontalFlip", "prob": 0.5}, "pack": pipeline.pop("pack")}
    return GRefCOCODataset(
        data_root=str(official_tree),
        ann_root="grefcoco",
        image_root="images",
        split="train",
        pipeline={**pipeline, **steps},
    )


def test_each_step_has_a_snapshot(dataset):
    trace = trace_pipeline(dataset, 0)
    assert [snapshot.step for snapshot in trace] == [
        "LoadImage",
        "LoadTargets",
        "ChooseExpression",
        "CleanExpression",
        "Resize",
        "TokenizeExpression",
        "RandomHorizontalFlip",
        "PackGroundingInputs",
    ]
    assert trace[0].targets is None
    assert trace[1].targets.masks.shape == (1, 48, 64)
    assert trace[1].targets.boxes_xyxy.tolist() == [[4, 6, 24, 16]]
    assert trace[2].expression == "The red circle, left."
    assert trace[3].expression == "the red circle left"
    assert trace[4].image.shape == (3, 32, 32)
    assert trace[4].notes["scale_factor"] == "0.500 x 0.667"
    assert trace[5].notes["tokens"].endswith(" of 16")


def test_last_snapshot_equals_the_sample_of_the_dataset(dataset):
    for epoch in range(4):
        dataset.set_epoch(epoch)
        for index in range(len(dataset)):
            last, given = trace_pipeline(dataset, index)[-1], dataset[index]
            assert torch.equal(last.image, given["inputs"]["image"])
            assert torch.equal(last.targets.masks, given["data_samples"].gt_instances.masks)
            assert last.expression == given["data_samples"].expression


def test_steps_without_effect_look_alike(dataset):
    trace = trace_pipeline(dataset, 0)
    alike = [later.looks_like(earlier) for earlier, later in pairwise(trace)]
    assert alike[:5] == [False, True, True, False, True]


def test_step_name_includes_inner_steps():
    step = RandomApply([Resize(4), RandomApply([np.copy])])
    assert step_name(step).startswith("RandomApply(Resize, RandomApply(")
