import numpy as np
import torch
from mmengine.dataset import Compose

from vgtoolbox.datasets import GRefCOCODataset, PackGroundingInputs, grounding_collate
from vgtoolbox.registry import FUNCTIONS, TRANSFORMS


def _packed(height, width, tokens=4):
    results = {
        "image": torch.full((3, height, width), 7, dtype=torch.uint8),
        "token_ids": torch.arange(tokens),
        "text_padding_mask": torch.arange(tokens) > 2,
        "ori_shape": (height, width),
        "expressions": ["a dog"],
    }
    return PackGroundingInputs()(results)


def test_samples_are_stacked():
    batch = grounding_collate([_packed(8, 6), _packed(8, 6)])
    assert batch["inputs"]["images"].shape == (2, 3, 8, 6)
    assert batch["inputs"]["images"].dtype == torch.uint8
    assert batch["inputs"]["token_ids"].tolist() == [[0, 1, 2, 3]] * 2
    assert batch["inputs"]["text_padding_mask"].dtype == torch.bool
    assert len(batch["data_samples"]) == 2


def test_images_of_different_sizes_are_padded_at_bottom_and_right():
    batch = grounding_collate([_packed(8, 3), _packed(5, 6), _packed(1, 1)])
    images = batch["inputs"]["images"]
    assert images.shape == (3, 3, 8, 6)
    for image, (height, width) in zip(images, [(8, 3), (5, 6), (1, 1)], strict=True):
        assert (image[:, :height, :width] == 7).all()
        assert image.sum() == 7 * 3 * height * width
    assert [s.img_shape for s in batch["data_samples"]] == [(8, 3), (5, 6), (1, 1)]


def test_batch_contains_samples_without_targets(official_tree, pipeline):
    dataset = GRefCOCODataset(
        data_root=str(official_tree),
        ann_root="grefcoco",
        image_root="images",
        split="train",
        pipeline=pipeline,
    )
    batch = grounding_collate([dataset[3], dataset[3]])
    assert [len(s.gt_instances) for s in batch["data_samples"]] == [0, 0]
    assert batch["inputs"]["images"].shape == (2, 3, 32, 32)


def test_collate_function_is_registered():
    assert FUNCTIONS.get("grounding_collate") is grounding_collate


def test_batch_contains_images_without_annotations(pipeline):
    steps = Compose([TRANSFORMS.build(step) for step in pipeline.values()])
    image = np.zeros((20, 10, 3), np.uint8)
    batch = grounding_collate([steps({"image": image, "expressions": ["a red dog"]})])
    (sample,) = batch["data_samples"]
    assert "gt_instances" not in sample
    assert (sample.ori_shape, sample.img_shape) == ((20, 10), (32, 32))
