from itertools import pairwise

import pytest

from vgtoolbox.datasets.samplers.image_window import (
    ImageWindowSampler,
    WorkerAffineBatchSampler,
    image_numbers,
)
from vgtoolbox.registry import DATA_SAMPLERS


class Records:
    """30 images of 1 to 7 samples each, scattered."""

    def __init__(self):
        images = [image for image in range(30) for _ in range(1 + image % 7)]
        self.images = sorted(images, key=lambda image: image * 37 % 11)

    def __len__(self):
        return len(self.images)

    def get_data_info(self, index):
        return {"img_path": f"{self.images[index]}.jpg"}


RECORDS = Records()


def _images(order):
    return [RECORDS.images[index] for index in order]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("window", [1, 4, 100])
def test_every_sample_comes_once(shuffle, window):
    sampler = ImageWindowSampler(RECORDS, shuffle=shuffle, window=window, seed=0)
    order = list(sampler)
    assert sorted(order) == list(range(len(RECORDS)))
    assert len(sampler) == len(order)


def test_unshuffled_samples_come_image_by_image():
    order = list(ImageWindowSampler(RECORDS, shuffle=False, seed=0))
    images = _images(order)
    changes = sum(a != b for a, b in pairwise(images))
    assert changes == 29
    assert order == list(ImageWindowSampler(RECORDS, shuffle=False, seed=5))


@pytest.mark.parametrize("window", [1, 4, 7])
def test_the_samples_of_an_image_stay_within_a_window(window):
    images = _images(ImageWindowSampler(RECORDS, window=window, seed=3))
    first_seen = list(dict.fromkeys(images))
    position = {image: index for index, image in enumerate(images)}
    for start in range(0, 30, window):
        inside = set(first_seen[start : start + window])
        ends = max(position[image] for image in inside)
        begins = min(images.index(image) for image in inside)
        assert set(images[begins : ends + 1]) == inside


def test_a_window_mixes_its_images():
    images = _images(ImageWindowSampler(RECORDS, window=30, seed=0))
    changes = sum(a != b for a, b in pairwise(images))
    assert changes > 90  # of 114 neighbours; 29 where images stand together


def test_each_epoch_and_seed_has_an_order_of_its_own():
    sampler = ImageWindowSampler(RECORDS, window=4, seed=0)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(ImageWindowSampler(RECORDS, window=4, seed=1)) != first


def test_ranks_share_the_samples(monkeypatch):
    orders = []
    for rank in range(3):
        monkeypatch.setattr("mmengine.dataset.sampler.get_dist_info", lambda rank=rank: (rank, 3))
        sampler = ImageWindowSampler(RECORDS, window=4, seed=0)
        orders.append(list(sampler))
        assert len(orders[-1]) == len(sampler) == 39
    drawn = [index for order in orders for index in order]
    assert set(drawn) == set(range(len(RECORDS)))
    assert len(drawn) - len(RECORDS) <= 2


def test_it_is_built_from_the_registry():
    config = {"type": "ImageWindowSampler", "dataset": RECORDS, "window": 2, "seed": 0}
    assert DATA_SAMPLERS.build(config).window == 2


def test_the_window_is_checked():
    with pytest.raises(ValueError, match="window must be 1 image or more"):
        ImageWindowSampler(RECORDS, window=0)


def _lanes(batches, lanes):
    """The images of each lane, as long as batches keep to their lane."""
    seen = [set() for _ in range(lanes)]
    for number, batch in enumerate(batches):
        seen[number % lanes] |= set(_images(batch))
    return seen


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("size", "lanes"), [(4, 1), (4, 3), (7, 2), (200, 4)])
def test_batches_hold_every_sample_once(size, lanes, shuffle):
    sampler = ImageWindowSampler(RECORDS, shuffle=shuffle, window=10, seed=0)
    batches = list(WorkerAffineBatchSampler(sampler, size, lanes=lanes))
    assert len(batches) == len(WorkerAffineBatchSampler(sampler, size, lanes=lanes))
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert sorted(index for batch in batches for index in batch) == list(range(len(RECORDS)))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_an_image_keeps_to_one_worker(workers):
    sampler = ImageWindowSampler(RECORDS, window=12, seed=0)
    batches = list(WorkerAffineBatchSampler(sampler, 3, lanes=4))
    seen = _lanes(batches[:-8], workers)  # the last ones are mixed
    assert sum(map(len, seen)) == len(set().union(*seen))
    assert all(len(images) >= 30 // workers - 4 for images in seen)


def test_batches_of_lanes_follow_the_epoch():
    sampler = ImageWindowSampler(RECORDS, window=10, seed=0)
    batches = WorkerAffineBatchSampler(sampler, 4, lanes=2)
    first = list(batches)
    assert list(batches) == first
    sampler.set_epoch(1)
    assert list(batches) != first


def test_the_samples_of_an_image_are_spread_over_its_window():
    sampler = ImageWindowSampler(RECORDS, window=30, seed=0)
    images = _images(sampler)
    for image in range(30):
        count = 1 + image % 7
        places = sorted(place for place, other in enumerate(images) if other == image)
        for number, place in enumerate(places):
            # One in each part of the window, as far as chance fills the parts evenly.
            assert abs(place / len(images) - (number + 0.5) / count) < 0.5 / count + 0.1


def test_ranks_have_images_of_their_own(monkeypatch):
    shares = []
    for rank in range(2):
        monkeypatch.setattr("mmengine.dataset.sampler.get_dist_info", lambda rank=rank: (rank, 2))
        shares.append(_images(ImageWindowSampler(RECORDS, window=4, seed=0)))
    # What makes the shares equally long is moved from one to the other, at the end.
    both = set(shares[0][:-9]) & set(shares[1][:-9])
    assert not both


def test_images_are_numbered_as_they_come():
    assert image_numbers(RECORDS).tolist() == [
        list(dict.fromkeys(RECORDS.images)).index(image) for image in RECORDS.images
    ]


def test_the_lanes_are_checked():
    with pytest.raises(ValueError, match="lanes must be 1 or more"):
        WorkerAffineBatchSampler(ImageWindowSampler(RECORDS, seed=0), 4, lanes=0)
