import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler, sampler
from torch.utils.data import DataLoader

from vgtoolbox.datasets.samplers import (
    FixedBatchSampler,
    ImageBatchSampler,
    ImageWindowSampler,
    fixed_batch,
    image_batch,
)


def batches_of_each_rank(monkeypatch, processes, make):
    """Return the batches of each process, and check `len`."""
    ranks = []
    for rank in range(processes):
        for module in (sampler, fixed_batch, image_batch):
            monkeypatch.setattr(module, "get_dist_info", lambda rank=rank: (rank, processes))
        batches = make()
        ranks.append(list(batches))
        assert len(batches) == len(ranks[-1])
    return ranks


def dealt(ranks):
    """Return the batches in the order in which they were dealt out."""
    return [batch for turn in zip(*ranks, strict=True) for batch in turn]


@pytest.mark.parametrize("samples", [1, 2, 5, 12, 13])
@pytest.mark.parametrize("batch_size", [1, 3, 4])
@pytest.mark.parametrize("round_up", [True, False])
def test_any_number_of_processes_has_the_batches_of_one(
    image_list, monkeypatch, samples, batch_size, round_up
):
    images = image_list(range(samples))

    def make():
        order = DefaultSampler(images, shuffle=False, round_up=round_up)
        return FixedBatchSampler(order, batch_size)

    (alone,) = batches_of_each_rank(monkeypatch, 1, make)
    order = list(range(samples))
    assert alone == [order[i : i + batch_size] for i in range(0, samples, batch_size)]
    for processes in (2, 3, 7):
        found = dealt(batches_of_each_rank(monkeypatch, processes, make))
        # Repeated batches follow the last one, so that no process waits for another.
        assert found[: len(alone)] == alone
        assert len(found) - len(alone) < processes
        assert all(batch in alone for batch in found[len(alone) :])


@pytest.mark.parametrize("make_sampler", [DefaultSampler, ImageWindowSampler])
def test_a_shuffled_order_of_one_process_is_kept_in_each_epoch(records, monkeypatch, make_sampler):
    for epoch in (0, 1):

        def make(epoch=epoch):
            order = make_sampler(records, shuffle=True, seed=4)
            order.set_epoch(epoch)
            return FixedBatchSampler(order, 8)

        (alone,) = batches_of_each_rank(monkeypatch, 1, make)
        assert sorted(index for batch in alone for index in batch) == list(range(len(records)))
        assert dealt(batches_of_each_rank(monkeypatch, 2, make))[: len(alone)] == alone


def test_image_by_image_batches_are_those_of_one_process(records, monkeypatch):
    def window():
        return FixedBatchSampler(ImageWindowSampler(records, shuffle=False), 4)

    def images():
        return ImageBatchSampler(DefaultSampler(records, shuffle=False), 4)

    for make in (window, images):
        (alone,) = batches_of_each_rank(monkeypatch, 1, make)
        for processes in (2, 3, 9):
            found = dealt(batches_of_each_rank(monkeypatch, processes, make))
            assert found[: len(alone)] == alone
            assert len(found) % processes == 0


def test_a_sampler_of_another_kind_keeps_its_share(image_list, monkeypatch):
    class Odd:
        dataset = image_list(range(6))

        def __iter__(self):
            return iter([1, 3, 5])

        def __len__(self):
            return 3

    ranks = batches_of_each_rank(monkeypatch, 2, lambda: FixedBatchSampler(Odd(), 2))
    assert ranks == [[[1, 3], [5]]] * 2


def test_a_loader_accepts_the_batches(image_list):
    images = image_list(range(5))
    batches = FixedBatchSampler(DefaultSampler(images, shuffle=False), 2)
    loader = DataLoader(range(5), batch_sampler=batches, collate_fn=list)
    assert list(loader) == [[0, 1], [2, 3], [4]]


def test_a_batch_size_of_zero_is_refused(image_list):
    with pytest.raises(ValueError, match="batch_size must be 1 or more, got 0"):
        FixedBatchSampler(InfiniteSampler(image_list("a")), 0)
