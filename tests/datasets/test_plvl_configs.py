"""PLVL's data, as its configs read the official files of the fixture."""

import pickle
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from vgtoolbox.registry import METRICS, MODELS

CONFIGS = Path(__file__).parents[2] / "configs" / "refcoco"
NAMES = sorted(path.stem for path in CONFIGS.glob("PLVL-*.py"))
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "red", "circle", "left", "right", "square"]


@pytest.fixture
def tree(official_tree):
    """RefCOCO, + and g with every split, the lists of mixed data, and a vocabulary."""
    refs = pickle.loads((official_tree / "refcoco" / "refs(unc).p").read_bytes())
    splits = ("train", "val", "test", "testA", "testB")
    everything = pickle.dumps([{**ref, "split": split} for split in splits for ref in refs])
    (official_tree / "refcoco" / "refs(unc).p").write_bytes(everything)
    for name, file in (("refcoco+", "refs(unc).p"), ("refcocog", "refs(umd).p")):
        shutil.copytree(official_tree / "refcoco", official_tree / name)
        (official_tree / name / file).write_bytes(everything)
    images = sorted((official_tree / "images").iterdir())
    for name, polygons in (("mixed_coco", [[4, 6, 24, 6, 24, 16]]), ("mixed_pretrain", [])):
        rows = [
            (image.name, "coco", [4, 6, 20, 10, *polygons], "Red circle ", {}) for image in images
        ]
        folder = official_tree / "mask_data" / name
        folder.mkdir(parents=True)
        for split in ("train", "val"):
            torch.save(rows, folder / f"{name}_{split}.pth")
    (official_tree / "vocab.txt").write_text("\n".join(WORDS))
    return official_tree


def _point_at(dataset, tree):
    """Let a dataset's config read the fixture's files."""
    dataset.data_root = str(tree)
    dataset.pipeline.tokenize.tokenizer.model_file = str(tree / "vocab.txt")
    sources = dataset.image_root
    is_one = isinstance(sources, str)
    dataset.image_root = "images" if is_one else dict.fromkeys(sources, "images")


@pytest.mark.parametrize("name", NAMES)
def test_every_loader_returns_a_batch(name, tree):
    config = Config.fromfile(CONFIGS / f"{name}.py")
    loaders = [config.train_dataloader, config.val_dataloader]
    for split in config.test_splits.values():
        loaders.append(Config({**config.test_dataloader, "dataset": split.dataset}))
        assert [METRICS.get(metric.type) for metric in split.evaluator]
    with DefaultScope.overwrite_default_scope("vgtoolbox"):
        for loader in loaders:
            _point_at(loader["dataset"], tree)
            loader = {**loader, "num_workers": 0, "persistent_workers": False, "batch_size": 2}
            batch = next(iter(Runner.build_dataloader(loader, seed=0)))
            assert batch["inputs"]["images"].shape == (2, 3, 448, 448)
            assert batch["inputs"]["token_ids"].shape == (2, 40)
            sample = batch["data_samples"][0]
            assert sample.expression == sample.expression.lower().strip()
            assert ("masks" in sample.gt_instances) == ("masks" in config.model.tasks)
            is_training = loader["dataset"]["split"] == "train"
            assert ("gt_instances_ori" in sample) is not is_training


@pytest.mark.parametrize("name", NAMES)
def test_every_model_is_built_with_its_mask_loss(name):
    config = Config.fromfile(CONFIGS / f"{name}.py")
    alphas = {"PLVL-mixed-pretrain": 0.5, "PLVL-mixed-finetune": 0.05}
    with torch.device("meta"):
        model = MODELS.build(config.model)
    assert model.box_head.loss_weight == alphas.get(name, 0.1)
    assert sum(parameter.numel() for parameter in model.parameters()) == 217_018_655
    if len(model.tasks) == 1:  # the other head has no gradient
        assert config.find_unused_parameters


def test_published_preset_reproduces_every_defect():
    published = Config.fromfile(CONFIGS / "PLVL-published-refcoco.py")
    train = published.train_dataloader.dataset.pipeline
    assert train.crop.spare_positions == train.flip.word_swap == "published"
    assert train.crop.steps[1].acceptance == "published"
    pipelines = [train, published.val_dataloader.dataset.pipeline]
    pipelines += [split.dataset.pipeline for split in published.test_splits.values()]
    assert all(pipeline.targets.truncate_boxes for pipeline in pipelines)
    frames = {
        metric.frame for split in published.test_splits.values() for metric in split.evaluator
    }
    assert frames == {published.model.postprocessor.frame} == {"input"}
    mended = Config.fromfile(CONFIGS / "PLVL-refcoco.py")
    assert list(mended.train_dataloader.dataset.pipeline) == list(train)
    assert "published" not in str(mended.train_dataloader.dataset.pipeline)
