from multiprocessing.reduction import ForkingPickler

import pytest
import torch
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

from vgtoolbox.datasets.collate.batch_transfer import BatchInTransit, pack
from vgtoolbox.datasets.collate.grounding import grounding_collate
from vgtoolbox.structures import GroundingDataSample, empty_rle


def _sample(count, side=5):
    """Sample with `count` targets, of odd sizes so that bytes are not aligned by chance."""
    generator = torch.Generator().manual_seed(count)
    corners = torch.rand(count, 2, 2, generator=generator).sort(1).values * side
    targets = InstanceData(
        boxes_xyxy=corners.flatten(1),
        masks=torch.rand(count, side, side + 2, generator=generator) > 0.5,
    )
    ori = InstanceData(boxes_xyxy=corners.flatten(1), masks=[empty_rle((4, 5))] * count)
    return GroundingDataSample(
        metainfo={"sample_id": f"{count}", "ori_shape": (4, 5)},
        gt_instances=targets,
        gt_instances_ori=ori,
    )


def _assert_same(one, other):
    assert one.metainfo == other.metainfo
    for name in ("gt_instances", "gt_instances_ori"):
        assert one.get(name).boxes_xyxy.equal(other.get(name).boxes_xyxy)
        assert one.get(name).boxes_xyxy.dtype == other.get(name).boxes_xyxy.dtype
    assert one.gt_instances.masks.equal(other.gt_instances.masks)
    assert one.gt_instances.masks.dtype == torch.bool
    assert one.gt_instances_ori.masks == other.gt_instances_ori.masks


@pytest.mark.parametrize("counts", [[], [0], [1], [3, 0, 2, 1]])
def test_batch_is_unchanged_by_the_transfer(counts):
    batch = {
        "inputs": {"images": torch.rand(2, 3).share_memory_(), "token_ids": torch.arange(7)},
        "data_samples": [_sample(count) for count in counts],
    }
    arrived = ForkingPickler.loads(ForkingPickler.dumps(BatchInTransit(batch)))
    assert type(arrived) is dict
    for key, tensor in batch["inputs"].items():
        assert arrived["inputs"][key].equal(tensor)
        assert arrived["inputs"][key].dtype == tensor.dtype
    for one, other in zip(arrived["data_samples"], batch["data_samples"], strict=True):
        _assert_same(one, other)


def test_all_tensors_but_shared_ones_are_sent_in_one_block():
    image = torch.zeros(9, dtype=torch.uint8).share_memory_()
    skeleton, packed, shared = pack([_sample(3, side=50), image, _sample(2, side=50)])
    assert packed.numel() >= 5 * 50 * 52
    assert packed.is_shared()
    assert [tensor.data_ptr() for tensor in shared] == [image.data_ptr()]
    assert len(skeleton) < 3000


class Samples:
    def __len__(self):
        return 6

    def __getitem__(self, index):
        image = torch.full((3, 2, 2), index, dtype=torch.uint8)
        inputs = {"image": image, "token_ids": torch.arange(3) + index}
        return {"inputs": inputs, "data_samples": _sample(index % 3)}


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_returns_plain_values(workers):
    loader = DataLoader(Samples(), 3, collate_fn=grounding_collate, num_workers=workers)
    batches = list(loader)
    assert [type(batch) for batch in batches] == [dict, dict]
    assert [type(batch["data_samples"]) for batch in batches] == [list, list]
    for number, batch in enumerate(batches):
        first = torch.arange(3)[:, None] + 3 * number
        assert batch["inputs"]["token_ids"].equal(first + torch.arange(3))
        assert batch["inputs"]["images"].equal(first[..., None, None].byte().expand(3, 3, 2, 2))
        for position, sample in enumerate(batch["data_samples"]):
            _assert_same(sample, _sample((3 * number + position) % 3))
