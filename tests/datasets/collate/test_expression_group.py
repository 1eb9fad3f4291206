import torch

from vgtoolbox.datasets.collate import group_collate
from vgtoolbox.registry import FUNCTIONS
from vgtoolbox.structures import GroundingDataSample


def _packed(height, names):
    image = torch.zeros(3, height, 6, dtype=torch.uint8)
    samples = [GroundingDataSample(metainfo={"expression": name}) for name in names]
    return {"inputs": {"image": image}, "data_samples": samples}


def test_each_sample_refers_to_its_image():
    batch = group_collate([_packed(4, "abc"), _packed(2, "d")])
    assert batch["inputs"]["images"].shape == (2, 3, 4, 6)
    assert batch["inputs"]["image_index"].tolist() == [0, 0, 0, 1]
    assert [sample.expression for sample in batch["data_samples"]] == list("abcd")


def test_collate_function_is_registered():
    assert FUNCTIONS.get("group_collate") is group_collate
