"""Base configs of benchmarks on a generated dataset."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from vgtoolbox.engine.compat import GroundingRunner
from vgtoolbox.engine.target_dataset import TargetDataset
from vgtoolbox.registry import DATASETS, METRICS

CONFIGS = Path(__file__).parents[2] / "configs" / "_base_" / "datasets"
TESTS = {
    "refclef": ["val", "test"],
    "fprefcoco": ["val_fprefcoco", "val_fprefcoco+", "val_fprefcocog"],
    "reasonseg": ["val", "test", "test_shortquery", "test_longquery"],
    "segllm": ["mr_refcoco_val", "mr_paco_val"],
}


@pytest.fixture
def config(request, world):
    """Config with the files of the generated dataset."""
    config = Config.fromfile(CONFIGS / f"{request.param}.py")
    datasets = [config.train_dataloader.dataset, config.val_dataloader.dataset]
    datasets += [split.dataset for split in config.test_splits.values()]
    for dataset in datasets:
        for part in dataset.get("datasets", [dataset]):
            part.data_root = str(world)
            if "image_root" in part:
                part.image_root = "" if request.param == "segllm" else "images"
            if "pipeline" in part:
                part.pipeline.tokenize.tokenizer.model_file = str(world / "tokenizer.spm")
    return config


@pytest.mark.parametrize(("config", "tests"), TESTS.items(), ids=list(TESTS), indirect=["config"])
def test_all_splits_have_samples_and_metrics(config, tests):
    assert list(config.test_splits) == tests
    for split in config.test_splits.values():
        samples = TargetDataset(split.dataset)
        assert len(samples) > 0
        assert {"boxes_ori", "rles_ori"} <= set(samples[0])
        for metric in split.evaluator:
            METRICS.build(metric)


@pytest.mark.parametrize("config", ["refclef", "fprefcoco", "reasonseg"], ids=str, indirect=True)
def test_all_dataloaders_yield_a_batch(config):
    with DefaultScope.overwrite_default_scope("vgtoolbox"):
        for loader in (config.train_dataloader, config.val_dataloader):
            loader = {**loader, "batch_size": 4, "num_workers": 0, "persistent_workers": False}
            batch = next(iter(GroundingRunner.build_dataloader(loader, seed=0)))
            assert batch["inputs"]["images"].shape == (4, 3, 320, 320)


@pytest.mark.parametrize("config", ["segllm"], indirect=True)
def test_training_samples_are_conversations_and_test_samples_are_rounds(config):
    conversations = DATASETS.build(config.train_dataloader.dataset)
    assert len(conversations[0]["expressions"]) > 1
    rounds = TargetDataset(config.test_splits.mr_refcoco_val.dataset)
    assert {rounds.get_data_info(index)["round"] for index in range(len(rounds))} >= {0, 1}
