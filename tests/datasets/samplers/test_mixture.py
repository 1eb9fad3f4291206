import numpy as np
import pytest
from mmengine.dataset import ConcatDataset

from vgtoolbox.datasets.samplers import MixtureSampler, mixture


@pytest.fixture(scope="module")
def parts(image_list):
    return ConcatDataset([image_list("a" * 90), image_list("b" * 10)])


def _mixture(parts, **options):
    return MixtureSampler(parts, num_samples=2000, seed=3, **options)


def test_datasets_are_drawn_equally_often_by_default(parts):
    drawn = np.array(list(_mixture(parts)))
    assert len(drawn) == len(_mixture(parts)) == 2000
    assert 900 < (drawn >= 90).sum() < 1100
    assert drawn.min() >= 0
    assert drawn.max() < 100
    assert len(set(drawn.tolist())) == 100


def test_datasets_are_drawn_by_weight(parts):
    drawn = np.array(list(_mixture(parts, weights=[3, 1])))
    assert 400 < (drawn >= 90).sum() < 600
    assert np.array(list(_mixture(parts, weights=[0, 1]))).min() >= 90


@pytest.mark.parametrize("weights", [[1], [0, 0], [2, -1]])
def test_weights_are_checked(parts, weights):
    with pytest.raises(ValueError, match="weights must be 2 numbers"):
        _mixture(parts, weights=weights)


def test_samples_depend_on_the_epoch_alone(parts):
    sampler = _mixture(parts)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_ranks_draw_different_samples(parts, monkeypatch):
    alone = list(_mixture(parts))
    shares = []
    for rank in range(3):
        monkeypatch.setattr(mixture, "get_dist_info", lambda rank=rank: (rank, 3))
        shares.append(list(_mixture(parts)))
    assert [len(share) for share in shares] == [666] * 3
    assert [index for draws in zip(*shares, strict=True) for index in draws] == alone[:1998]
