import pickle

import pytest
import torch
from torch.utils.data import DataLoader

from vgtoolbox.datasets import GRefCOCODataset, grounding_collate


@pytest.fixture
def dataset(official_tree, pipeline):
    return _dataset(official_tree, pipeline)


def _dataset(tree, pipeline, **kwargs):
    steps = dict(pipeline)
    pack = steps.pop("pack")
    steps["flip"] = {"type": "RandomHorizontalFlip", "prob": 0.5}
    steps["jitter"] = {"type": "ColorJitter", "brightness": 0.5, "contrast": 0.5}
    return GRefCOCODataset(
        data_root=str(tree),
        ann_root="grefcoco",
        image_root="images",
        split="train",
        group_by="ref",
        pipeline={**steps, "pack": pack},
        **kwargs,
    )


def _images(dataset, num_workers=0):
    loader = DataLoader(
        dataset, batch_size=2, num_workers=num_workers, collate_fn=grounding_collate
    )
    return torch.cat([batch["inputs"]["images"] for batch in loader])


def test_samples_depend_only_on_seed_epoch_and_position(official_tree, pipeline):
    first, again = _dataset(official_tree, pipeline), _dataset(official_tree, pipeline)
    torch.manual_seed(1)
    forward = [first[i]["inputs"]["image"] for i in range(3)]
    backward = [again[i]["inputs"]["image"] for i in (2, 1, 0)][::-1]
    assert all(map(torch.equal, forward, backward))
    other_seed = _dataset(official_tree, pipeline, seed=1)
    assert not torch.equal(other_seed[0]["inputs"]["image"], forward[0])


def test_samples_do_not_depend_on_the_number_of_workers(dataset):
    assert torch.equal(_images(dataset, num_workers=0), _images(dataset, num_workers=2))


def test_set_epoch_changes_and_restores_the_samples(dataset):
    first = _images(dataset)
    dataset.set_epoch(3)
    assert dataset.epoch == 3
    assert not torch.equal(_images(dataset), first)
    dataset.set_epoch(0)
    assert torch.equal(_images(dataset), first)


def test_persistent_workers_see_the_new_epoch(dataset):
    loader = DataLoader(
        dataset, batch_size=3, num_workers=1, persistent_workers=True, collate_fn=grounding_collate
    )
    for epoch in range(3):
        dataset.set_epoch(epoch)
        (batch,) = list(loader)
        assert torch.equal(batch["inputs"]["images"], _images(dataset))


def test_negative_positions_count_from_the_end(dataset):
    assert dataset.get_data_info(-1)["sample_idx"] == len(dataset) - 1
    assert dataset.get_data_info(-1) == dataset.get_data_info(len(dataset) - 1)
    assert dataset.get_data_info(-3) == dataset.get_data_info(0)
    with pytest.raises(IndexError, match=r"index must be in \[-3, 3\), got 3"):
        dataset.get_data_info(3)


def test_records_are_copies(dataset):
    dataset.get_data_info(0)["targets"].clear()
    assert len(dataset.get_data_info(0)["targets"]) == 1


def test_indices_select_a_subset(official_tree, pipeline):
    part = _dataset(official_tree, pipeline, indices=[2, 0])
    assert [part.get_data_info(i)["sample_id"] for i in range(len(part))] == ["3", "1"]
    assert [part.get_data_info(i)["sample_idx"] for i in range(len(part))] == [0, 1]
    assert len(_dataset(official_tree, pipeline, indices=2)) == 2
    with pytest.raises(ValueError, match=r"split 'train' of .*grefcoco has no samples"):
        _dataset(official_tree, pipeline, indices=0)


def test_subset_has_its_own_epoch(dataset):
    subset = dataset.get_subset([1])
    subset.set_epoch(5)
    assert (subset.epoch, dataset.epoch) == (5, 0)
    assert subset._epoch.is_shared()


def test_nothing_is_read_before_full_init(official_tree, pipeline):
    dataset = _dataset(official_tree, pipeline, lazy_init=True)
    assert not dataset._fully_initialized
    dataset.full_init()
    assert len(dataset) == 3


def test_pickled_dataset_returns_the_same_samples(dataset):
    copied = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copied[0]["inputs"]["image"], dataset[0]["inputs"]["image"])


def test_broken_file_raises_instead_of_another_sample(dataset, official_tree):
    path = official_tree / "images" / "COCO_train2014_000000000001.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"sample 2, image .*1\.jpg: the file is truncated"):
        dataset[1]
    with pytest.raises(ValueError, match=r"sample 1, image .*1\.jpg: the file is truncated"):
        list(DataLoader(dataset, num_workers=1, collate_fn=grounding_collate))


def test_transform_that_returns_none_raises(official_tree):
    dataset = _dataset(official_tree, {"drop": lambda _: None, "pack": lambda results: results})
    with pytest.raises(ValueError, match=r"returned None for sample 1 \(.*1\.jpg\)"):
        dataset[0]


def test_metainfo_is_the_split(dataset):
    assert dataset.metainfo == {"split": "train"}
