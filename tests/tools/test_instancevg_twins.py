"""Training and testing with the data of every InstanceVG config, on the generated world."""

import copy
import json
import math
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from vgtoolbox.engine import load_config, train
from vgtoolbox.engine import runner as runner_module
from vgtoolbox.engine.hooks.checkpoint import find_last_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
# file: (splits in the generated world, a reported metric)
LEAVES = {
    "gres/InstanceVG-grefcoco-json.py": (["val", "testA"], "gres/gIoU"),
    "refzom/InstanceVG-refzom.py": (["test"], "refzom/Acc"),
    "refzom/InstanceVG-refzom-json.py": (["test"], "refzom/mIoU"),
    "rrefcoco/InstanceVG-rrefcoco.py": (["val_rrefcoco", "val_rrefcoco+"], "robust/rIoU"),
    "rrefcoco/InstanceVG-rrefcoco-json.py": (["val_rrefcoco", "val_rrefcocog"], "robust/mRR"),
    "refcoco/InstanceVG-B-refcoco.py": (["val_refcoco_unc", "testA_refcocoplus_unc"], "res/mIoU"),
    "refcoco/InstanceVG-B-refcoco-json.py": (["testB_refcoco_unc"], "rec/Acc@0.5"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a generated world of a few scenes, also in the formats that the configs read."""
    folder = tmp_path_factory.mktemp("shapes")
    words = ["--num-train", "6", "--num-val", "4", "--num-test", "16"]
    words += ["--formats", "refcoco+,refcocog,refzom,rrefcoco,instancevg"]
    done = subprocess.run(
        [sys.executable, "tools/prepare_data.py", "shapes", "--out", str(folder), *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def on_the_world(dataset, world, tiny):
    """Return a config's dataset on the generated world, with the pipeline of the tiny model."""
    dataset = copy.deepcopy(dataset)
    for part in dataset.get("datasets", [dataset]):
        part.data_root = str(world / Path(part.data_root).relative_to("data"))
        part.image_root = str(world / "images")
        part.indices = 12
        part.pipeline.resize = tiny.resize
        part.pipeline.tokenize = tiny.tokenize
    return dataset


@pytest.fixture
def configured(world, tmp_path, monkeypatch):
    """Return a function that combines the data of a config with the tiny model."""
    monkeypatch.setenv("SHAPES_ROOT", str(world))

    def read(leaf, splits):
        cfg, data = load_config(CONFIGS / "shapes/InstanceVG-tiny-shapes.py"), load_config(leaf)
        cfg.merge_from_dict(
            {
                "work_dir": str(tmp_path / "run"),
                "experiment_name": uuid.uuid4().hex,
                "device": "cpu",
                "log_level": "WARNING",
                "train_cfg.max_epochs": 1,
                "visualizer.vis_backends": [{"type": "LocalVisBackend"}],
                "model.postprocessor": data.model.postprocessor,
                "model.query_selector.num_queries": min(6, data.model.query_selector.num_queries),
                "model.query_mask_head": data.model.query_mask_head,
                "default_hooks.checkpoint": data.default_hooks.checkpoint,
            }
        )
        tiny = cfg.val_dataloader.dataset.pipeline
        few = {"batch_size": 6, "num_workers": 0, "persistent_workers": False}
        for phase in ("train", "val"):
            loader = cfg[f"{phase}_dataloader"]
            loader.update(few)
            loader.dataset = on_the_world(data[f"{phase}_dataloader"].dataset, world, tiny)
        cfg.test_dataloader.update(few)
        cfg.val_evaluator = data.val_evaluator
        cfg.test_splits = {
            name: {
                "dataset": on_the_world(data.test_splits[name].dataset, world, tiny),
                "evaluator": data.test_splits[name].evaluator,
            }
            for name in splits
        }
        return cfg

    return read


@pytest.mark.parametrize("leaf", LEAVES)
def test_training_and_testing_with_the_data_of_a_config(leaf, configured, tmp_path):
    splits, metric = LEAVES[leaf]
    cfg = configured(CONFIGS / leaf, splits)
    runner = train(cfg)
    losses = runner.message_hub.get_scalar("train/loss").data[0]
    assert len(losses) >= 2
    assert all(map(math.isfinite, losses))
    best = list(Path(cfg.work_dir).glob("best_*.pth"))
    assert len(best) == 1, "validated, and the best checkpoint kept by the config's metric"

    values = runner_module.test(cfg, find_last_checkpoint(cfg.work_dir), out=tmp_path / "out")
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert list(values) == list(report["splits"]) == splits
    assert all(0 <= values[split][metric] <= 100 for split in splits)
    assert {settings["frame"] for settings in report["protocol"].values()} == {"input"}
    for split in splits:
        lines = (tmp_path / "out" / split / "predictions.jsonl").read_text().splitlines()
        assert len(lines) == 12
