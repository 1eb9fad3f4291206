import json

from vgtoolbox.evaluation import read_predictions
from vgtoolbox.inference import save_formats
from vgtoolbox.inference.results.saving import FORMATS

EXPRESSIONS = ["the red circle", "two dogs", "a large blue square on the left"]


def test_out_dir_has_an_image_and_a_record_of_each_result(inferencer, images, tmp_path):
    results = inferencer(images, EXPRESSIONS, out_dir=tmp_path / "out")
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == {r.id for r in results}
    (record,) = read_predictions(tmp_path / "out" / f"{results[0].id}.json")
    assert record == results[0].to_dict()


def test_formats_of_other_tools(inferencer, images, tmp_path):
    results = inferencer(images, EXPRESSIONS)
    save_formats(results, tmp_path, FORMATS)
    coco = json.loads((tmp_path / "coco.json").read_text())
    assert len(coco["images"]) == 3
    assert [entry["expression"] for entry in coco["expressions"]] == EXPRESSIONS
    assert len(json.loads((tmp_path / "labelstudio.json").read_text())) == 3
