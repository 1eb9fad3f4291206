"""Script tools/draw_predictions.py on a gRefCOCO-type split of two images."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.structures import empty_rle, segmentation_to_rle

SCRIPT = Path(__file__).parents[2] / "tools" / "draw_predictions.py"
SIZE = (40, 60)
POLYGON = [10, 10, 30, 10, 30, 30, 10, 30]


@pytest.fixture
def config(tmp_path):
    """Return a config with one split: an expression with a target, and one without."""
    (tmp_path / "images").mkdir()
    (tmp_path / "ann").mkdir()
    images, refs = [], []
    for image_id, ann_id in ((1, 11), (2, -1)):
        name = f"COCO_train2014_{image_id:012d}.jpg"
        Image.fromarray(np.full((*SIZE, 3), 100, np.uint8)).save(tmp_path / "images" / name)
        images.append({"id": image_id, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
        sentence = {"sent_id": image_id, "sent": "it", "raw": "it", "tokens": ["it"]}
        refs.append(
            {"ref_id": image_id, "ann_id": [ann_id], "image_id": image_id, "split": "test"}
            | {"category_id": 1, "sentences": [sentence], "sent_ids": [image_id]}
            | {"file_name": name, "no_target": ann_id == -1}
        )
    annotation = {"id": 11, "image_id": 1, "category_id": 1, "iscrowd": 0}
    annotation |= {"bbox": [10, 10, 20, 20], "segmentation": [POLYGON]}
    instances = {"images": images, "annotations": [annotation], "categories": []}
    (tmp_path / "ann" / "instances.json").write_text(json.dumps(instances))
    (tmp_path / "ann" / "grefs(unc).json").write_text(json.dumps(refs))
    dataset = {
        "type": "GRefCOCODataset",
        "data_root": str(tmp_path),
        "ann_root": "ann",
        "image_root": "images",
        "split": "test",
    }
    path = tmp_path / "config.py"
    path.write_text(f"test_splits = {{'grefs_test': dict(dataset={dataset}, evaluator=[])}}\n")
    return path


@pytest.fixture
def predictions(tmp_path):
    target = segmentation_to_rle([POLYGON], SIZE)
    found = {"boxes_xyxy": [[10, 10, 30, 30]], "scores": [0.9], "masks": [target]}
    nothing = {"boxes_xyxy": [], "scores": [], "masks": []}
    lines = [
        {"id": "1_1", "merged_mask": target, "no_target": False, "existence": 0.9, **found},
        {"id": "2_2", "merged_mask": empty_rle(SIZE), "no_target": True, "existence": 0.1}
        | nothing,
    ]
    shared = {"image": "x.jpg", "expression": "it", "size": list(SIZE), "text": None}
    path = tmp_path / "test" / "grefs_test" / "predictions.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(line | shared) + "\n" for line in lines))
    return path


@pytest.fixture
def draw(run_script):
    return functools.partial(run_script, SCRIPT)


def test_draws_next_to_the_predictions_by_default(draw, config, predictions):
    code, out, err = draw("--config", config, "--predictions", predictions)
    assert (code, err) == (0, "")
    picture = predictions.with_suffix(".png")
    assert out.strip() == str(picture)
    # Two pairs in a row; both are right, so both bars are green.
    sheet = np.array(Image.open(picture))
    assert (sheet == (0, 158, 115)).all(-1).sum(1).max() > 2 * 400


def test_the_same_seed_draws_the_same_sheet(draw, config, predictions, tmp_path):
    sheets = []
    for name, seed in (("a.png", 0), ("b.png", 0)):
        words = ["--config", config, "--predictions", predictions, "--out", tmp_path / name]
        assert draw(*words, "--num", 1, "--seed", seed)[0] == 0
        sheets.append((tmp_path / name).read_bytes())
    assert sheets[0] == sheets[1]


def test_bad_input_is_reported_in_one_line(draw, config, predictions, tmp_path):
    for words, culprit in (
        (["--config", config, "--predictions", tmp_path / "no.jsonl", "--split", "grefs_test"],
         "no.jsonl"),
        (["--config", config, "--predictions", predictions, "--split", "nowhere"], "grefs_test"),
        (["--config", "no.py", "--predictions", predictions], "no.py"),
    ):  # fmt: skip
        code, _, err = draw(*words)
        assert code == 2
        assert err.startswith("error: ")
        assert culprit in err


def test_predictions_of_another_split_are_an_error(draw, config, predictions):
    predictions.write_text(predictions.read_text().replace("1_1", "9_9"))
    code, _, err = draw("--config", config, "--predictions", predictions)
    assert code == 2
    assert "'9_9' of the predictions is not in the 'test' split" in err
