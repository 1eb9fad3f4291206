from mmengine.dataset import DefaultSampler

from vgtoolbox.datasets.samplers import ImageBatchSampler, image_batch


def test_samples_of_an_image_are_consecutive(image_list):
    sampler = DefaultSampler(image_list(list("abacb")), shuffle=False)
    batches = ImageBatchSampler(sampler, 2)
    assert list(batches) == [[0, 2, 1, 4], [3]]
    assert len(batches) == 2


def test_each_rank_has_its_own_images_and_equally_many_batches(image_list, monkeypatch):
    seen = []
    for rank in range(2):
        monkeypatch.setattr(image_batch, "get_dist_info", lambda rank=rank: (rank, 2))
        sampler = DefaultSampler(image_list(list("abcab")), shuffle=False)
        seen.append([i for batch in ImageBatchSampler(sampler, 1) for i in batch])
    assert seen == [[0, 3, 2], [1, 4, 0, 3]]  # the first batch fills the last turn
