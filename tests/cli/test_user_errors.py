"""Broken data end `train` and `test` with one line and exit code 2, also from worker processes."""

import json
from pathlib import Path

import pytest
from PIL import Image
from torch.utils.data import DataLoader

from vgtoolbox.checkpoint import save_checkpoint
from vgtoolbox.cli.errors import USER_ERRORS, user_message
from vgtoolbox.cli.main import main
from vgtoolbox.datasets import AnnotationError, JSONLinesDataset

ENGINE = Path(__file__).parents[1] / "engine"
LINE = {"image": "1.png", "expression": "the box", "boxes": [[2, 2, 12, 12]]}
CONFIG = """
_base_ = ["{base}"]
_dataset = dict(
    _delete_=True,
    type="{reader}",
    data_root="{root}",
    ann_file="{file}",
    split="train",
    pipeline=[dict(type="LoadImage"), dict(type="LoadTargets", with_masks=False)],
    {options}
)
train_dataloader = dict(num_workers={workers}, batch_size=1, dataset=_dataset)
val_dataloader = dict(num_workers={workers}, dataset=_dataset)
test_splits = dict(odd=dict(dataset=_dataset))
train_cfg = dict(max_epochs=1)
custom_hooks = []
visualizer = dict(vis_backends=[])
experiment_name = "{name}"
"""


def _annotations(*ids):
    annotations = [
        {"id": i, "image_id": 1, "bbox": [2, 2, 9, 9 + n], "expressions": ["it"]}
        for n, i in enumerate(ids)
    ]
    images = [{"id": 1, "file_name": "1.png", "height": 24, "width": 32}]
    return json.dumps({"images": images, "annotations": annotations})


BROKEN_FILES = {
    # Name -> (reader, text of the file, message).
    "ids": ("COCOExpressionsDataset", _annotations(0, 0), "ids of 'annotations' must be unique"),
    "json": ("COCOExpressionsDataset", _annotations(0)[:-9], "is truncated or not JSON"),
    "no-text": ("COCOExpressionsDataset", _annotations(), "must have the key 'expressions'"),
    "line": ("JSONLinesDataset", "{", "own.json, line 1: truncated or not JSON"),
    "split": ("JSONLinesDataset", json.dumps({**LINE, "split": "val"}), "has no samples"),
}
BROKEN_SAMPLES = {
    "missing": ({**LINE, "image": "2.png"}, "2.png: the file does not exist"),
    "image": ({**LINE, "image": "own.json"}, "sample 0, image "),
    "size": ({**LINE, "height": 9, "width": 9}, "the image must be 9 x 9 (height x width)"),
    "box": ({**LINE, "boxes": [[2, 2, 90, 12]]}, "a box must be inside the image"),
}


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Return a function that runs a command on a file and returns its exit code and errors."""
    monkeypatch.syspath_prepend(str(ENGINE))
    Image.new("RGB", (32, 24)).save(tmp_path / "1.png")

    def execute(command, reader, text, *, workers=0, options=""):
        (tmp_path / "own.json").write_text(text)
        config = tmp_path / "config.py"
        config.write_text(
            CONFIG.format(
                base=ENGINE / "toy_config.py",
                root=tmp_path,
                name=tmp_path.name,
                file="own.json",
                reader=reader,
                workers=workers,
                options=options,
            )
        )
        words = [command, str(config), "--work-dir", str(tmp_path / "run"), "--device", "cpu"]
        if command == "test":
            words = [*words[:2], "--out", str(tmp_path / "run"), "--device", "cpu"]
            words += ["--load-from", str(_weights(tmp_path))]
        code = main(words)
        lines = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
        return code, lines

    return execute


def _weights(folder):
    from toy_grounder import ToyGrounder  # the engine's tests are on the path

    save_checkpoint({"state_dict": ToyGrounder(width=16).state_dict()}, folder / "toy.pth")
    return folder / "toy.pth"


@pytest.mark.parametrize("command", ["train", "test"])
@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_broken_file_is_one_line(run, command, name):
    reader, text, message = BROKEN_FILES[name]
    code, lines = run(command, reader, text)
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    assert message in lines[0]


@pytest.mark.parametrize(
    ("command", "workers"), [("train", 0), ("train", 2), ("test", 0), ("test", 2)]
)
@pytest.mark.parametrize("name", BROKEN_SAMPLES)
def test_a_broken_sample_is_one_line(run, command, workers, name):
    line, message = BROKEN_SAMPLES[name]
    code, lines = run(command, "JSONLinesDataset", json.dumps(line), workers=workers)
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    assert "sample 0, image " in lines[0]
    assert message in lines[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("group_by='word',", "group_by must be 'expression', 'ref' or 'image', got 'word'"),
        ("keys=dict(caption='expression'),", "keys must be among image"),
        ("box_format='cxcywh',", "box_format must be 'xyxy' or 'xywh', got 'cxcywh'"),
    ],
)
def test_a_wrong_option_is_one_line(run, options, message):
    code, lines = run("train", "JSONLinesDataset", json.dumps(LINE), options=options)
    assert code == 2
    assert len(lines) == 1, lines
    assert message in lines[0]


class _Raises(JSONLinesDataset):
    def prepare_data(self, idx, sample_idx=None):
        raise AnnotationError(f"file, line {idx}:\nof two lines")


def test_message_of_a_worker_is_its_own(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(LINE))
    dataset = _Raises(data_root=str(tmp_path), ann_file="a.jsonl", split="a")
    with pytest.raises(USER_ERRORS) as caught:
        next(iter(DataLoader(dataset, num_workers=1)))
    assert "Traceback" in str(caught.value)
    assert user_message(caught.value) == "file, line 0:\nof two lines"
