"""docs/extending.md: each example trains a step and predicts; the slow test runs the whole page."""

import json
import runpy
import sys

import pytest
import torch

from vgtoolbox import registry
from vgtoolbox.datasets import AnnotationError
from vgtoolbox.engine import load_config
from vgtoolbox.evaluation import prediction_record
from vgtoolbox.registry import DATASETS, FUNCTIONS, MODELS

PAGE = "extending.md"
CONFIGS = ("backbone_config", "grounder_config", "parts_config", "table_config")


@pytest.fixture
def examples(blocks_of, write_files, checkout, small_world, monkeypatch):
    """Files of the page, with a small dataset; their registered classes are removed afterwards."""
    (checkout / "data").mkdir()
    (checkout / "data" / "shapes").symlink_to(small_world)
    files = write_files(blocks_of(PAGE))
    monkeypatch.syspath_prepend(str(checkout))
    yield files
    for module in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[module]
    for known in vars(registry).values():
        if isinstance(known, registry.Registry):
            own = [k for k, v in known.module_dict.items() if v.__module__.startswith("mine.")]
            for name in own:
                del known.module_dict[name]


def first_samples(config, count=4):
    dataset = DATASETS.build(config["dataset"])
    collate = FUNCTIONS.get(config["collate_fn"]["type"])
    return collate([dataset[i] for i in range(count)])


def one_step(model, batch):
    data = model.data_preprocessor(batch, training=True)
    losses = model.train()(**data, mode="loss")
    total = sum(losses.values())
    total.backward()
    return losses


@pytest.mark.parametrize("name", CONFIGS)
def test_every_example_trains_and_predicts(examples, name, checkout):
    if name == "table_config":
        runpy.run_path(str(checkout / "mine" / "write_table.py"))
    config = load_config(checkout / "mine" / f"{name}.py")
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    losses = one_step(model, first_samples(config.train_dataloader))
    assert all(torch.isfinite(loss) for loss in losses.values())
    own = [m for m in model.modules() if type(m).__module__.startswith("mine.")]
    assert bool(own) == (name != "table_config")
    idle = [key for m in own for key, weight in m.named_parameters() if weight.grad is None]
    assert bool(idle) == config.get("find_unused_parameters", False), f"without gradient: {idle}"
    with torch.no_grad():
        samples = model.eval().val_step(first_samples(config.val_dataloader))
    for sample in samples:
        record = prediction_record(sample)
        assert 0 <= record["existence"] <= 1
        assert tuple(record["size"]) == sample.ori_shape


def test_no_example_is_missing(examples, checkout):
    written = {file.stem for file in examples}
    assert written >= set(CONFIGS)
    assert {name for name in written if name.endswith("_config")} == set(CONFIGS)


def test_a_missed_pixel_costs_more_than_a_false_one(examples):
    loss = load_part("parts", "TverskyLoss")(miss_weight=0.7)
    wanted = torch.zeros(1, 4, 4)
    wanted[:, :2] = 1
    sure = 100 * (2 * wanted - 1)
    missing, extra = sure.clone(), sure.clone()
    missing[0, 0, 0], extra[0, 3, 3] = -100, 100
    # 7 hits of 8, one missed: 1 - (7 + 1) / (7 + 0.7 + 1); 8 hits, one false: 1 - 9 / 9.3.
    assert loss(missing, wanted).item() == pytest.approx(1 - 8 / 8.7, abs=1e-6)
    assert loss(extra, wanted).item() == pytest.approx(1 - 9 / 9.3, abs=1e-6)
    assert loss(torch.zeros(0, 4, 4), torch.zeros(0, 4, 4)).item() == 0


def test_a_broken_line_of_a_table_is_named(examples, checkout):
    load_part("table", "TableDataset")
    lines = ["photo,split,sentence,x,y,width,height", "a.jpg,val,a cup,1,2,,4"]
    (checkout / "mine" / "annotations.csv").write_text("\n".join(lines))
    with pytest.raises(AnnotationError, match=r"annotations\.csv, line 2: a side of the box"):
        DATASETS.build({"type": "TableDataset", "ann_root": "mine", "split": "val"})
    (checkout / "mine" / "annotations.csv").write_text(lines[0] + "\na.jpg,val,no cup,,,,\n")
    dataset = DATASETS.build({"type": "TableDataset", "ann_root": "mine", "split": "val"})
    assert dataset.get_data_info(0)["targets"] == []


def load_part(module, name):
    return getattr(__import__(f"mine.{module}", fromlist=[name]), name)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_unchanged_page(examples, blocks_of, checkout, run_commands):
    for language, text in blocks_of(PAGE):
        is_done = "prepare_data.py shapes" in text  # by the fixture
        if language == "bash" and not is_done:
            run_commands(text)
    mine = checkout / "mine"
    assert len(list((mine / "found").glob("*.png"))) == 1
    assert "grefs_test" in json.loads((mine / "report" / "metrics.json").read_text())["splits"]
    assert (mine / "browse" / "index.html").is_file()
    assert (mine / "table" / "epoch_1.pth").is_file()
