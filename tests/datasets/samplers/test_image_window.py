from itertools import pairwise

import pytest

from vgtoolbox.datasets.samplers import ImageWindowSampler
from vgtoolbox.registry import DATA_SAMPLERS


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("window", [1, 4, 100])
def test_order_contains_every_sample_once(records, shuffle, window):
    sampler = ImageWindowSampler(records, shuffle=shuffle, window=window, seed=0)
    order = list(sampler)
    assert sorted(order) == list(range(len(records)))
    assert len(sampler) == len(order)


def test_unshuffled_samples_come_image_by_image(records):
    order = list(ImageWindowSampler(records, shuffle=False, seed=0))
    images = records.images_of(order)
    changes = sum(a != b for a, b in pairwise(images))
    assert changes == 29
    assert order == list(ImageWindowSampler(records, shuffle=False, seed=5))


@pytest.mark.parametrize("window", [1, 4, 7])
def test_samples_of_an_image_stay_within_a_window(records, window):
    images = records.images_of(ImageWindowSampler(records, window=window, seed=3))
    first_seen = list(dict.fromkeys(images))
    position = {image: index for index, image in enumerate(images)}
    for start in range(0, 30, window):
        inside = set(first_seen[start : start + window])
        ends = max(position[image] for image in inside)
        begins = min(images.index(image) for image in inside)
        assert set(images[begins : ends + 1]) == inside


def test_window_mixes_its_images(records):
    images = records.images_of(ImageWindowSampler(records, window=30, seed=0))
    changes = sum(a != b for a, b in pairwise(images))
    assert changes > 90  # of 114 neighbors; 29 if the samples of an image were consecutive


def test_order_depends_on_epoch_and_seed(records):
    sampler = ImageWindowSampler(records, window=4, seed=0)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(ImageWindowSampler(records, window=4, seed=1)) != first


def test_samples_of_an_image_are_spread_over_its_window(records):
    images = records.images_of(ImageWindowSampler(records, window=30, seed=0))
    for image in range(30):
        count = 1 + image % 7
        places = sorted(place for place, other in enumerate(images) if other == image)
        for number, place in enumerate(places):
            # One in each part of the window, as far as chance fills the parts evenly.
            assert abs(place / len(images) - (number + 0.5) / count) < 0.5 / count + 0.1


def _orders_of_ranks(records, monkeypatch, world_size):
    orders = []
    for rank in range(world_size):
        monkeypatch.setattr(
            "mmengine.dataset.sampler.get_dist_info", lambda rank=rank: (rank, world_size)
        )
        sampler = ImageWindowSampler(records, window=4, seed=0)
        orders.append(list(sampler))
        assert len(orders[-1]) == len(sampler)
    return orders


def test_ranks_share_the_samples_evenly(records, monkeypatch):
    orders = _orders_of_ranks(records, monkeypatch, 3)
    assert [len(order) for order in orders] == [39] * 3
    drawn = [index for order in orders for index in order]
    assert set(drawn) == set(range(len(records)))
    assert len(drawn) - len(records) <= 2


def test_each_rank_has_its_own_images(records, monkeypatch):
    shares = [records.images_of(order) for order in _orders_of_ranks(records, monkeypatch, 2)]
    # The last samples are moved between the ranks so that their shares are equally long.
    both = set(shares[0][:-9]) & set(shares[1][:-9])
    assert not both


def test_sampler_is_built_from_the_registry(records):
    config = {"type": "ImageWindowSampler", "dataset": records, "window": 2, "seed": 0}
    assert DATA_SAMPLERS.build(config).window == 2


def test_window_is_checked(records):
    with pytest.raises(ValueError, match="window must be 1 image or more"):
        ImageWindowSampler(records, window=0)
