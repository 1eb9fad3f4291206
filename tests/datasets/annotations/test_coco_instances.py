import gzip
import json
import re

import pytest

from vgtoolbox.datasets.annotations import AnnotationError, COCOInstances, FieldError

SQUARE = [[2, 2, 12, 2, 12, 12, 2, 12]]
CONTENT = {
    "images": [
        {"id": 1, "file_name": "1.jpg", "height": 48, "width": 64, "split": "val"},
        {"id": 2, "file_name": "2.jpg", "height": "48", "width": 64},
    ],
    "annotations": [
        {"id": 11, "image_id": 1, "bbox": [2, 2, 10, 10], "segmentation": SQUARE},
        {"id": 12, "image_id": 2, "bbox": [2, 2, 10]},
    ],
}


@pytest.fixture
def instances(tmp_path):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(CONTENT))
    return COCOInstances(path)


def test_images_and_targets_are_looked_up_by_id(instances):
    assert instances.image(1) == {"file_name": "1.jpg", "height": 48, "width": 64}
    assert instances.target(11) == {
        "bbox": [2, 2, 10, 10],
        "segmentation": SQUARE,
        "ann_id": 11,
    }
    assert instances.target(11) is instances.target(11)
    assert instances.image_of(11) == 1
    assert (instances.split_of_image(1), instances.split_of_image(2)) == ("val", None)


@pytest.mark.parametrize(
    ("look_up", "message"),
    [
        (lambda instances: instances.image(3), "image 3 is not in"),
        (lambda instances: instances.target(99), "annotation 99 is not in"),
        (lambda instances: instances.image(2), "the key 'height' must be int, got str '48'"),
        (
            lambda instances: instances.target(12),
            "must be a box of 4 finite numbers, got list",
        ),
    ],
)
def test_error_names_the_entry_and_the_file(instances, look_up, message):
    with pytest.raises(FieldError, match=re.escape(message)) as raised:
        look_up(instances)
    assert "instances.json" in str(raised.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([{"file_name": "1.jpg"}], "'images', item 0, must have the key 'id'"),
        ([{"id": [1]}], "the key 'id' of 'images', item 0, must be a number"),
        ([{"id": 1}, {"id": 1, "height": 3}], "ids of 'images' must be unique"),
    ],
)
def test_broken_tables_raise(tmp_path, images, message):
    with pytest.raises(AnnotationError, match=message):
        COCOInstances(tmp_path / "instances.json", {"images": images, "annotations": []})


@pytest.mark.parametrize("key", [None, [1], {"a": 1}, 1.5, True])
def test_ids_must_be_numbers_or_texts(tmp_path, key):
    path = tmp_path / "instances.json"
    annotation = {**CONTENT["annotations"][0], "id": key}
    path.write_text(json.dumps({**CONTENT, "annotations": [annotation]}))
    with pytest.raises(AnnotationError, match="'id' of 'annotations', item 0, must be a number"):
        COCOInstances(path)


@pytest.mark.parametrize(("key", "other"), [("1", "1"), ("x", None), (3, None)])
def test_id_of_another_type_is_named(instances, key, other):
    hint = f"it has {other}, of another type" if other else "check that the files belong together"
    with pytest.raises(FieldError, match=hint):
        instances.image(key)


def test_compressed_form_of_the_file_is_read(tmp_path):
    path = tmp_path / "instances.json"
    path.with_name("instances.json.gz").write_bytes(gzip.compress(json.dumps(CONTENT).encode()))
    assert COCOInstances(path).image(1)["file_name"] == "1.jpg"
