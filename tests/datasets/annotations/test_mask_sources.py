import gzip
import json

import pytest

from vgtoolbox.datasets.annotations import AnnotationError, FieldError, open_mask_source

# Column by column of 3 rows: rows 1 and 2 of column 1.
RLE = {"size": [3, 4], "counts": [4, 2, 6]}


def _open(folder, content):
    path = folder / "masks.json"
    path.write_text(json.dumps(content))
    return open_mask_source(path)


@pytest.mark.parametrize("entry", [RLE, {"segmentation": RLE}])
def test_masks_of_a_table_are_looked_up_by_id(tmp_path, entry):
    masks = _open(tmp_path, {"7": entry})
    assert masks.target(7) == {"bbox": [1, 1, 1, 2], "segmentation": RLE, "ann_id": 7}
    assert masks.target("7") is masks.target(7)
    assert masks.size(7) == {"height": 3, "width": 4}


def test_masks_of_a_coco_file_are_looked_up_by_annotation_id(tmp_path):
    image = {"id": 1, "file_name": "1.jpg", "height": 3, "width": 4}
    annotation = {"id": 11, "image_id": 1, "bbox": [1, 1, 1, 2], "segmentation": RLE}
    masks = _open(tmp_path, {"images": [image], "annotations": [annotation]})
    assert masks.target(11)["segmentation"] == RLE
    assert masks.size(11) == {"height": 3, "width": 4}


def test_broken_sources_raise(tmp_path):
    masks = _open(tmp_path, {"7": [1, 2]})
    with pytest.raises(FieldError, match=r"mask 8 is not in .*masks\.json"):
        masks.target(8)
    with pytest.raises(FieldError, match=r"mask 7 of .*masks\.json must be an RLE, got list of 2"):
        masks.target(7)
    with pytest.raises(AnnotationError, match="must map ids to masks, got list of 1"):
        _open(tmp_path, [RLE])
    with pytest.raises(FileNotFoundError, match="check the option 'masks'"):
        open_mask_source(tmp_path / "absent.json")


def test_compressed_form_of_the_file_is_read(tmp_path):
    file = tmp_path / "masks.json.gz"
    file.write_bytes(gzip.compress(json.dumps({"7": RLE}).encode()))
    assert open_mask_source(tmp_path / "masks.json").target(7)["bbox"] == [1, 1, 1, 2]
