import pytest

from vgtoolbox.datasets.samplers import ImageWindowSampler, WorkerAffineBatchSampler
from vgtoolbox.registry import DATA_SAMPLERS
from vgtoolbox.utils.deprecation import update_config


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("size", "workers"), [(4, 1), (4, 3), (7, 2), (200, 4)])
def test_batches_contain_every_sample_once(records, size, workers, shuffle):
    sampler = ImageWindowSampler(records, shuffle=shuffle, window=10, seed=0)
    batch_sampler = WorkerAffineBatchSampler(sampler, size, num_workers=workers)
    batches = list(batch_sampler)
    assert len(batches) == len(batch_sampler)
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert sorted(index for batch in batches for index in batch) == list(range(len(records)))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_all_samples_of_an_image_reach_the_same_worker(records, workers):
    sampler = ImageWindowSampler(records, window=12, seed=0)
    batches = list(WorkerAffineBatchSampler(sampler, 3, num_workers=4))
    seen = [set() for _ in range(workers)]
    for number, batch in enumerate(batches[:-8]):  # the last ones are mixed
        seen[number % workers] |= set(records.images_of(batch))
    assert sum(map(len, seen)) == len(set().union(*seen))
    assert all(len(images) >= 30 // workers - 4 for images in seen)


def test_batches_change_with_the_epoch(records):
    sampler = ImageWindowSampler(records, window=10, seed=0)
    batches = WorkerAffineBatchSampler(sampler, 4, num_workers=2)
    first = list(batches)
    assert list(batches) == first
    sampler.set_epoch(1)
    assert list(batches) != first


def test_num_workers_is_checked(records):
    with pytest.raises(ValueError, match="num_workers must be 1 or more, got 0"):
        WorkerAffineBatchSampler(ImageWindowSampler(records, seed=0), 4, num_workers=0)


def test_earlier_argument_name_still_works(records):
    config = {"type": "ImageLaneBatchSampler", "batch_size": 4, "lanes": 3}
    with pytest.warns(DeprecationWarning, match="num_workers"):
        update_config(config)
    sampler = ImageWindowSampler(records, seed=0)
    built = DATA_SAMPLERS.build(config, default_args={"sampler": sampler})
    assert isinstance(built, WorkerAffineBatchSampler)
    assert built.num_workers == 3
