"""Script tools/analysis/browse_dataset.py on the two images of the official tree."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "tools" / "analysis" / "browse_dataset.py"
SIZE = (40, 60)
POLYGON = [10, 10, 30, 10, 30, 30, 10, 30]


@pytest.fixture
def config(tmp_path):
    """Return a config that crops and mirrors; one expression has a target, one has none."""
    (tmp_path / "images").mkdir()
    images, refs = [], []
    for image_id, ann_id in ((1, 11), (2, -1)):
        name = f"COCO_train2014_{image_id:012d}.jpg"
        pixels = np.random.default_rng(image_id).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / name)
        images.append({"id": image_id, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
        sentence = {"sent_id": image_id, "sent": "left <it>", "raw": "left <it>", "tokens": []}
        refs.append(
            {"ref_id": image_id, "ann_id": [ann_id], "image_id": image_id, "split": "train"}
            | {"category_id": 1, "sentences": [sentence], "sent_ids": [image_id]}
            | {"file_name": name, "no_target": ann_id == -1}
        )
    annotation = {"id": 11, "image_id": 1, "category_id": 1, "iscrowd": 0}
    annotation |= {"bbox": [10, 10, 20, 20], "segmentation": [POLYGON]}
    instances = {"images": images, "annotations": [annotation], "categories": []}
    (tmp_path / "instances.json").write_text(json.dumps(instances))
    (tmp_path / "grefs(unc).json").write_text(json.dumps(refs))
    pipeline = [
        {"type": "LoadImage"},
        {"type": "LoadTargets", "dense": False},
        {"type": "ChooseExpression"},
        {"type": "RandomTargetCrop", "size": [22, 30]},
        {"type": "RandomHorizontalFlip", "prob": 1.0},
        {"type": "Resize", "size": 32, "backend": "align_corners"},
        {"type": "PackGroundingInputs"},
    ]
    dataset = {
        "type": "GRefCOCODataset",
        "data_root": str(tmp_path),
        "image_root": "images",
        "split": "train",
        "pipeline": pipeline,
    }
    path = tmp_path / "config.py"
    path.write_text(
        f"train_dataloader = dict(dataset={dataset})\n"
        f"test_splits = dict(other=dict(dataset={dataset}, evaluator=[]))\n"
    )
    return path


@pytest.fixture
def browse(run_script):
    return functools.partial(run_script, SCRIPT)


@pytest.mark.parametrize("split", ["train", "other"])
def test_writes_one_picture_per_sample_and_a_page(config, browse, tmp_path, split):
    code, out, _ = browse(config, "--split", split, "--out", tmp_path / "out", "--columns", 3)
    assert code == 0
    page = tmp_path / "out" / "index.html"
    assert out.strip() == str(page)
    text = page.read_text()
    assert text.count("<img") == 2
    assert "left &lt;it&gt;" in text
    for number in (0, 1):
        assert f'src="{number:06d}.png"' in text
        # Two rows of three: read, with targets, cropped; mirrored, resized.
        picture = np.asarray(Image.open(tmp_path / "out" / f"{number:06d}.png"))
        assert picture.shape[0] > 2 * 320
        assert (picture != 255).any()


def test_the_number_of_samples_is_an_argument(config, browse, tmp_path):
    assert browse(config, "--num", 1, "--out", tmp_path / "out")[0] == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 1


def test_an_unknown_split_is_named(config, browse):
    assert "no test split 'testC'; its splits: other" in browse(config, "--split", "testC")[2]
    message = browse(config, "--split", "val")[2]
    assert "has no val_dataloader" in message
