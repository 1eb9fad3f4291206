import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, DefaultSampler

from vgtoolbox.datasets import ImageBatchSampler, MixtureSampler
from vgtoolbox.datasets.samplers import image_batch


class Images(BaseDataset):
    """A data set whose samples are known by their image."""

    def __init__(self, images):
        self.images = images
        super().__init__()

    def load_data_list(self):
        return [{"img_path": image} for image in self.images]


def test_the_samples_of_an_image_stand_together():
    sampler = DefaultSampler(Images(list("abacb")), shuffle=False)
    batches = ImageBatchSampler(sampler, 2)
    assert list(batches) == [[0, 2, 1, 4], [3]]
    assert len(batches) == 2


def test_ranks_share_the_images(monkeypatch):
    seen = []
    for rank in range(2):
        monkeypatch.setattr(image_batch, "get_dist_info", lambda rank=rank: (rank, 2))
        sampler = DefaultSampler(Images(list("abcab")), shuffle=False)
        seen.append([i for batch in ImageBatchSampler(sampler, 1) for i in batch])
    assert seen == [[0, 3, 2], [1, 4]]


def mixture(**options):
    parts = ConcatDataset([Images("a" * 90), Images("b" * 10)])
    return MixtureSampler(parts, num_samples=2000, seed=3, **options)


def test_each_data_set_is_drawn_as_often():
    drawn = np.array(list(mixture()))
    assert len(drawn) == len(mixture()) == 2000
    assert 900 < (drawn >= 90).sum() < 1100
    assert drawn.min() >= 0
    assert drawn.max() < 100
    assert len(set(drawn.tolist())) == 100


def test_weights():
    drawn = np.array(list(mixture(weights=[3, 1])))
    assert 400 < (drawn >= 90).sum() < 600
    assert np.array(list(mixture(weights=[0, 1]))).min() >= 90
    with pytest.raises(ValueError, match="expected 2 weights"):
        mixture(weights=[1])


def test_epochs_differ_and_come_again():
    sampler = mixture()
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_ranks_draw_apart(monkeypatch):
    alone = list(mixture())
    shares = []
    for rank in range(3):
        monkeypatch.setattr(image_batch, "get_dist_info", lambda rank=rank: (rank, 3))
        shares.append(list(mixture()))
    assert [len(share) for share in shares] == [666] * 3
    assert [index for draws in zip(*shares, strict=True) for index in draws] == alone[:1998]
