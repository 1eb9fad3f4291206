"""Dataset configs for BEiT-3, built as mmengine's Runner builds them, on small files."""

import json
import pickle
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from vgtoolbox.engine import load_config
from vgtoolbox.registry import METRICS

CONFIGS = Path(__file__).parents[2] / "configs" / "_base_" / "datasets"
NAMES = ("grefcoco", "refcoco", "shapes")


def _all_datasets(config):
    yield config.train_dataloader.dataset
    yield config.val_dataloader.dataset
    yield from (split.dataset for split in config.test_splits.values())


@pytest.fixture
def tree(official_tree):
    """Tree of official files with samples in every split that a config may name."""
    refs_file = official_tree / "refcoco" / "refs(unc).p"
    grefs_file = official_tree / "grefcoco" / "grefs(unc).json"
    refs, grefs = pickle.loads(refs_file.read_bytes()), json.loads(grefs_file.read_text())
    splits = ("train", "val", "test", "testA", "testB")
    refs_file.write_bytes(pickle.dumps([{**r, "split": s} for s in splits for r in refs]))
    grefs_file.write_text(json.dumps([{**r, "split": s} for s in splits for r in grefs]))
    return official_tree


@pytest.mark.parametrize("name", NAMES)
def test_every_loader_returns_a_batch(name, tree, tokenizer_file):
    config = Config.fromfile(CONFIGS / f"{name}.py")
    for dataset in _all_datasets(config):
        dataset.data_root, dataset.image_root = str(tree), "images"
        dataset.pipeline.tokenize.tokenizer.model_file = str(tokenizer_file)
    loaders = [config.train_dataloader, config.val_dataloader]
    for split in config.test_splits.values():
        loaders.append({**config.test_dataloader, "dataset": split.dataset})
        assert [METRICS.get(metric.type) for metric in split.evaluator]
    with DefaultScope.overwrite_default_scope("vgtoolbox"):
        for loader in loaders:
            loader = {**loader, "num_workers": 0, "persistent_workers": False}
            batch = next(iter(Runner.build_dataloader(loader, seed=0)))
            size = loader["dataset"].pipeline.resize.size
            assert batch["inputs"]["images"].shape[1:] == (3, size, size)
            is_training = loader["dataset"].split == "train"
            assert ("gt_instances_ori" in batch["data_samples"][0]) is not is_training


@pytest.mark.parametrize("name", NAMES)
def test_leaf_can_change_one_step_of_a_pipeline(name, tmp_path):
    leaf = tmp_path / "leaf.py"
    leaf.write_text(
        f"_base_ = [{str(CONFIGS / name)!r} + '.py']\n"
        "train_dataloader = dict(dataset=dict(pipeline=dict(resize=dict(size=48))))\n"
    )
    base, config = Config.fromfile(CONFIGS / f"{name}.py"), Config.fromfile(leaf)
    step = base.train_dataloader.dataset.pipeline.resize
    assert config.train_dataloader.dataset.pipeline.resize == {**step, "size": 48}
    assert list(config.train_dataloader.dataset.pipeline) == list(
        base.train_dataloader.dataset.pipeline
    )
    assert config.val_dataloader == base.val_dataloader


@pytest.mark.parametrize("name", NAMES)
def test_config_has_no_other_keys(name):
    keys = {"train_dataloader", "val_dataloader", "val_evaluator", "test_dataloader", "test_splits"}
    assert set(load_config(CONFIGS / f"{name}.py").keys()) == keys
