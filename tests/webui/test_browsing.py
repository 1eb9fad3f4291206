import json

import pytest
from mmengine.config import Config

from vgtoolbox.webui import PageError, SplitBrowser


@pytest.fixture
def browser(responder, photo, monkeypatch):
    """Return a browser of a split with one photo and one annotation, and of one without files."""
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


def test_shows_ground_truth_next_to_prediction(browser):
    assert browser.splits == ["mine", "absent"]
    assert browser.length("mine") == 1
    image, caption = browser.show("mine", 0)
    assert "“dogs”" in caption
    assert image.shape[1] > 2 * 320


@pytest.mark.parametrize("index", [-1, 1])
def test_index_out_of_range(browser, index):
    with pytest.raises(PageError, match=f"sample of mine must be between 0 and 0, got {index}"):
        browser.show("mine", index)


@pytest.mark.parametrize("split", ["absent", "other", ""])
def test_split_that_cannot_be_read(browser, split):
    with pytest.raises(PageError, match=f"the split {split} cannot be read"):
        browser.show(split, 0)


def test_error_names_no_file_of_the_server(browser, photo, caplog):
    with pytest.raises(PageError) as raised:
        browser.show("absent", 0)
    assert str(photo.parent) not in str(raised.value)
    assert "nowhere.json" in caplog.text
