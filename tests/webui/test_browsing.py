import json

import pytest
from mmengine.config import Config

from vgtoolbox.webui import PageError, SplitBrowser


@pytest.fixture
def browser(responder, photo, monkeypatch):
    """A browser of a model whose config tests on one photograph with one annotation."""
    polygon = [10, 10, 40, 10, 40, 30, 10, 30]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 600}
    annotation |= {"bbox": [10, 10, 30, 20], "segmentation": [polygon], "expressions": ["dogs"]}
    image = {"id": 1, "file_name": photo.name, "width": 80, "height": 60}
    (photo.parent / "mine.json").write_text(
        json.dumps({"images": [image], "annotations": [annotation], "categories": []})
    )
    reader = {"type": "COCOExpressionsDataset", "data_root": str(photo.parent), "image_root": ""}
    dataset = {**reader, "ann_file": "mine.json", "split": "val"}
    inferencer = responder.inferencer("miniature")
    absent = {**dataset, "ann_file": "nowhere.json"}
    splits = {"mine": {"dataset": dataset}, "absent": {"dataset": absent}}
    config = Config({**inferencer.config.to_dict(), "test_splits": splits})
    monkeypatch.setattr(inferencer, "config", config)
    return SplitBrowser(inferencer)


def test_shows_ground_truth_beside_prediction(browser):
    assert browser.splits == ["mine", "absent"]
    assert browser.length("mine") == 1
    picture, words = browser.show("mine", 0)
    assert "“dogs”" in words
    assert picture.shape[1] > 2 * 320


@pytest.mark.parametrize("index", [-1, 1])
def test_a_sample_that_is_not_there(browser, index):
    with pytest.raises(PageError, match=f"mine has samples 0 to 0, not {index}"):
        browser.show("mine", index)


@pytest.mark.parametrize("split", ["absent", "other", ""])
def test_a_split_that_can_not_be_read(browser, split):
    with pytest.raises(PageError, match=f"the split {split} can not be read"):
        browser.show(split, 0)
