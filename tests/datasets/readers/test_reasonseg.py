import json

import cv2
import numpy as np
import pytest
from PIL import Image

from vgtoolbox.datasets import AnnotationError, ReasonSegDataset
from vgtoolbox.datasets.annotations.labelme_shapes import paint_shapes
from vgtoolbox.structures import decode_masks
from vgtoolbox.utils.image_files import image_size

HEIGHT, WIDTH = 48, 64


def _shape(label, x1, y1, x2, y2):
    return {"label": label, "points": [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]}


def _annotation(*shapes, text=("what one sits on",), is_sentence=True, **keys):
    return {"shapes": list(shapes), "text": list(text), "is_sentence": is_sentence, **keys}


@pytest.fixture
def folder(tmp_path):
    """A tree with a long and a short query in val, of which the second ignores a region."""
    queries = {
        "b_chair": _annotation(_shape("target", 4, 6, 20, 16), text=("which?", "where?")),
        "a_lamp": _annotation(
            _shape("target", 4.9, 6.9, 30.2, 40.7),
            _shape("Ignore this", 10, 10, 14, 14),
            _shape("flag", 0, 0, 60, 40),
            text=("the lamp",),
            is_sentence=False,
        ),
    }
    (tmp_path / "val").mkdir()
    for name, content in queries.items():
        (tmp_path / "val" / f"{name}.json").write_text(json.dumps(content))
        cv2.imwrite(str(tmp_path / "val" / f"{name}.jpg"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return tmp_path


def _dataset(folder, split="val", **kwargs):
    return ReasonSegDataset(ann_root=str(folder), split=split, **kwargs)


def _mask(rle):
    return decode_masks([rle])[0].numpy()


def test_record_has_region_and_ignored_pixels(folder):
    lamp, *chair = _dataset(folder).data_list
    assert lamp["img_path"] == str(folder / "val" / "a_lamp.jpg")
    assert (lamp["height"], lamp["width"]) == (HEIGHT, WIDTH)
    assert (lamp["sample_id"], lamp["query_kind"]) == ("a_lamp_0", "short")
    (target,) = lamp["targets"]
    # Corners are cut to whole pixels and belong to the region; the ignored part is taken out.
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[6:41, 4:31] = True
    ignored = np.zeros_like(expected)
    ignored[10:15, 10:15] = True
    np.testing.assert_array_equal(_mask(target["segmentation"]), expected & ~ignored)
    np.testing.assert_array_equal(_mask(lamp["ignore_mask_ori"]), ignored)
    assert target["bbox"] == [4, 6, 27, 35]
    assert [record["expressions"] for record in chair] == [["which?"], ["where?"]]
    assert all("ignore_mask_ori" not in record for record in chair)


def test_texts_first_keeps_the_first_question(folder):
    records = _dataset(folder, texts="first").data_list
    assert [record["expressions"] for record in records] == [["the lamp"], ["which?"]]


def test_test_splits_select_by_query_length(folder):
    (folder / "val").rename(folder / "test")
    lengths = {
        split: [r["sample_id"] for r in _dataset(folder, split, group_by="image").data_list]
        for split in ("test_shortquery", "test_longquery", "test_overall")
    }
    assert lengths == {
        "test_shortquery": ["a_lamp.jpg"],
        "test_longquery": ["b_chair.jpg"],
        "test_overall": ["a_lamp.jpg", "b_chair.jpg"],
    }


def test_small_shapes_are_painted_over_large_ones():
    inner, outer = _shape("target", 10, 10, 14, 14), _shape("ignore", 4, 4, 30, 30)
    size = (HEIGHT, WIDTH)
    for shapes in ([inner, outer], [outer, inner]):
        target, ignored = paint_shapes(shapes, size)
        assert _mask(target["segmentation"]).sum() == 25
        assert _mask(ignored).sum() == 27 * 27 - 25
    assert paint_shapes([], size) == (None, None)
    assert paint_shapes([_shape("target", 100, 4, 110, 8)], size) == (None, None)


def test_false_premises_have_no_targets(folder):
    file = folder / "val" / "b_chair.json"
    content = json.loads(file.read_text())
    content["false_premise_QA"] = [["a dog?", False, "There is no dog."], ["why?", True, "No."]]
    file.write_text(json.dumps(content))
    (folder / "val" / "a_lamp.json").unlink()
    true, false = _dataset(folder, texts="first", false_premises=True).data_list
    assert (true["correction"], len(true["targets"]), true["query_kind"]) == (None, 1, "long")
    assert (false["correction"], len(false["targets"])) == ("There is no dog.", 0)
    assert (false["expressions"], false["query_kind"]) == (["a dog?"], "short")


def test_explanations_are_read_if_present(folder):
    (folder / "explanatory").mkdir()
    answers = [{"image": "a_lamp.jpg", "query": "the lamp", "outputs": "It gives light."}]
    (folder / "explanatory" / "train.json").write_text(json.dumps(answers))
    lamp, chair, _ = _dataset(folder).data_list
    assert lamp["explanation"] == {"query": "the lamp", "outputs": "It gives light."}
    assert "explanation" not in chair


def test_files_in_cp1252_are_read(folder):
    file = folder / "val" / "a_lamp.json"
    content = json.loads(file.read_text())
    content["text"] = ["a café “lamp”"]
    file.write_bytes(json.dumps(content, ensure_ascii=False).encode("cp1252"))
    assert _dataset(folder).get_data_info(0)["expressions"] == ["a café “lamp”"]


def test_image_size_follows_exif_rotation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / "turned.jpg", exif=exif)
    assert image_size(tmp_path / "turned.jpg") == (64, 48)


def test_error_names_the_missing_image(folder):
    (folder / "val" / "a_lamp.jpg").unlink()
    with pytest.raises(AnnotationError, match=r"a_lamp\.json, .*: its image .*a_lamp\.jpg cannot"):
        _dataset(folder)
    skipped = _dataset(folder, corrupted="skip")
    assert [record["sample_id"] for record in skipped.data_list] == ["b_chair_0", "b_chair_1"]


def test_error_for_empty_folder_shows_the_expected_tree(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train/\*\.json(.|\n)*train/\*\.jpg"):
        _dataset(tmp_path, "train")


def test_shape_type_of_labelme_is_drawn(folder):
    shape = {"label": "target", "points": [[8, 8], [24, 20]], "shape_type": "rectangle"}
    (folder / "val" / "a_lamp.json").write_text(json.dumps(_annotation(shape)))
    record = _dataset(folder).get_data_info(0)
    assert _mask(record["targets"][0]["segmentation"]).sum() == 17 * 13


def test_shape_without_an_area_names_file_and_type(folder):
    shape = {"label": "target", "points": [[8, 8], [24, 20]], "shape_type": "line"}
    (folder / "val" / "a_lamp.json").write_text(json.dumps(_annotation(shape)))
    with pytest.raises(AnnotationError, match=r"a_lamp\.json, .*shape_type.* got 'line'"):
        _dataset(folder)


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".PNG"])
def test_image_may_have_another_suffix(folder, suffix):
    image = folder / "val" / "a_lamp.jpg"
    Image.open(image).convert("RGB").save(image.with_suffix(suffix))
    image.unlink()
    assert _dataset(folder).get_data_info(0)["img_path"] == str(image.with_suffix(suffix))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_byte_order_mark_is_read_and_utf16_refused(folder, encoding):
    file = folder / "val" / "a_lamp.json"
    file.write_bytes(file.read_text().encode(encoding))
    if encoding == "utf-8-sig":
        assert _dataset(folder).get_data_info(0)["sample_id"] == "a_lamp_0"
    else:
        with pytest.raises(AnnotationError, match=r"a_lamp\.json, .*must be UTF-8, got UTF-16"):
            _dataset(folder)


def test_cp1252_is_read_with_a_warning(folder, monkeypatch):
    messages = []
    monkeypatch.setattr(ReasonSegDataset, "_log", lambda self, message: messages.append(message))
    text = json.dumps(_annotation(text=["le café"]), ensure_ascii=False)
    (folder / "val" / "a_lamp.json").write_bytes(text.encode("cp1252"))
    assert _dataset(folder).get_data_info(0)["expressions"] == ["le café"]
    assert messages == ["1 files are cp1252 instead of UTF-8: a_lamp.json"]
