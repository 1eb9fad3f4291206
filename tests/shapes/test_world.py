import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from vgtoolbox.shapes import WorldSpec, prepare_world
from vgtoolbox.shapes.evaluator import evaluate
from vgtoolbox.shapes.programs import parse_program
from vgtoolbox.shapes.scene import parse_scene
from vgtoolbox.structures import segmentation_to_rle
from vgtoolbox.utils.restricted_pickle import load_restricted_pickle

SPEC = WorldSpec(scale="small", seed=3, num_scenes=(24, 3, 4))


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("worlds") / "shapes"
    _, reused = prepare_world(out, SPEC, workers=1)
    assert not reused
    return out


@pytest.fixture(scope="module")
def instances(world: Path) -> dict:
    return json.loads((world / "grefcoco/instances.json").read_text())


@pytest.fixture(scope="module")
def grefs(world: Path) -> list[dict]:
    return json.loads((world / "grefcoco/grefs(unc).json").read_text())


@pytest.fixture(scope="module")
def refs(world: Path) -> list[dict]:
    return load_restricted_pickle(world / "refcoco/refs(unc).p")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_bytes_do_not_depend_on_the_number_of_processes(world: Path, tmp_path: Path) -> None:
    prepare_world(tmp_path / "again", SPEC, workers=3)
    first, second = contents(world), contents(tmp_path / "again")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_another_seed_gives_other_images(world: Path, tmp_path: Path) -> None:
    prepare_world(tmp_path / "other", replace(SPEC, seed=4), workers=1)
    name = "images/COCO_train2014_000000000001.jpg"
    assert (tmp_path / "other" / name).read_bytes() != (world / name).read_bytes()


def test_complete_dataset_is_reused_and_another_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "shapes"
    spec = WorldSpec(scale="tiny", seed=0, num_scenes=(8, 1, 1))
    made, _ = prepare_world(out, spec, workers=1)
    stamp = (out / "statistics.json").stat().st_mtime_ns
    assert prepare_world(out, spec, workers=1) == (made, True)
    assert (out / "statistics.json").stat().st_mtime_ns == stamp
    with pytest.raises(FileExistsError, match="--overwrite"):
        prepare_world(out, replace(spec, seed=1), workers=1)
    prepare_world(out, replace(spec, seed=1), workers=1, overwrite=True)
    assert json.loads((out / "statistics.json").read_text())["world"]["seed"] == 1
    (out / "images/COCO_train2014_000000000002.jpg").unlink()
    with pytest.raises(FileExistsError, match="incomplete"):
        prepare_world(out, replace(spec, seed=1), workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


def test_folder_with_other_files_is_never_modified(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="another folder"):
        prepare_world(tmp_path, SPEC, workers=1, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


def test_failure_leaves_no_files_behind(tmp_path: Path, monkeypatch) -> None:
    def full_disk(*_args: object) -> bool:
        return False

    monkeypatch.setattr(cv2, "imwrite", full_disk)
    with pytest.raises(OSError, match="cannot write"):
        prepare_world(tmp_path / "shapes", SPEC, workers=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "giant"}, "scale must be 'tiny', .* got 'giant'"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"num_scenes": (5, 0, 1)}, "val scenes must be at least 1, got 0"),
    ],
)
def test_invalid_arguments_raise(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **change)


def test_labels_are_the_targets_of_the_programs(world: Path, grefs, instances) -> None:
    scenes = {}
    for row in map(json.loads, (world / "scenes.jsonl").read_text().splitlines()):
        assert all("colour" in item for item in row["objects"])  # prose: ok
        scenes[row["image_id"]] = parse_scene(row)
    facts = map(json.loads, (world / "programs.jsonl").read_text().splitlines())
    programs = {fact["sent_id"]: parse_program(fact["program"]) for fact in facts}
    by_image: dict[int, list[int]] = {}
    for annotation in instances["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation["id"])
    checked = 0
    for ref in grefs:
        for sent_id in ref["sent_ids"]:
            named = evaluate(programs[sent_id], scenes[ref["image_id"]])
            ann_ids = [by_image[ref["image_id"]][index] for index in sorted(named)]
            assert ref["ann_id"] == (ann_ids or [-1])
            checked += 1
    assert checked == len(programs) > 200


def test_grefs_have_the_official_fields(grefs, instances) -> None:
    categories = {row["id"]: row["category_id"] for row in instances["annotations"]}
    names = {row["id"]: row["file_name"] for row in instances["images"]}
    for ref in grefs:
        assert set(ref) == {
            *("ref_id", "image_id", "split", "sentences", "sent_ids"),
            *("file_name", "ann_id", "category_id", "no_target"),
        }
        assert ref["file_name"] == names[ref["image_id"]]
        assert ref["no_target"] is (ref["ann_id"] == [-1])
        assert ref["category_id"] == [categories.get(ann_id, -1) for ann_id in ref["ann_id"]]
        assert 1 <= len(ref["sentences"]) <= 3
        for sent_id, sentence in zip(ref["sent_ids"], ref["sentences"], strict=True):
            assert sentence["sent_id"] == sent_id
            assert " ".join(sentence["tokens"]) == sentence["sent"]
            assert set(sentence) == {"tokens", "raw", "sent_id", "sent"}
    sent_ids = [sent_id for ref in grefs for sent_id in ref["sent_ids"]]
    assert len(set(sent_ids)) == len(sent_ids)
    assert {len(ref["ann_id"]) for ref in grefs} >= {1, 2}
    assert any(ref["no_target"] for ref in grefs)


def test_refs_are_the_single_target_grefs_with_coco_file_names(refs, grefs, instances) -> None:
    image_names = {row["file_name"] for row in instances["images"]}
    for ref in refs:
        assert ref["file_name"] == f"COCO_train2014_{ref['image_id']:012d}_{ref['ann_id']}.jpg"
        assert ref["file_name"] not in image_names
        assert isinstance(ref["category_id"], int)
    single = [ref["sent_ids"] for ref in grefs if not ref["no_target"] and len(ref["ann_id"]) == 1]
    assert [ref["sent_ids"] for ref in refs] == single


def test_instances_are_valid_coco(world: Path, instances) -> None:
    sizes = {row["id"]: (row["height"], row["width"]) for row in instances["images"]}
    for row in instances["images"]:
        image = cv2.imread(str(world / "images" / row["file_name"]))
        assert image.shape[:2] == sizes[row["id"]]
    for row in instances["annotations"]:
        x, y, w, h = row["bbox"]
        height, width = sizes[row["image_id"]]
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
        assert 0 < row["area"] <= w * h
        assert row["iscrowd"] == 0
        assert segmentation_to_rle(row["segmentation"], (height, width))["size"] == [height, width]
    kinds = {type(row["segmentation"]) for row in instances["annotations"]}
    assert kinds == {list, dict}
    other = json.loads((world / "refcoco/instances.json").read_text())
    assert other == instances


def test_no_image_is_in_two_splits(grefs, refs) -> None:
    splits: dict[int, set[str]] = {}
    for ref in [*grefs, *refs]:
        splits.setdefault(ref["image_id"], set()).add(ref["split"])
    assert all(len(found) == 1 for found in splits.values())
    counts = {
        name: [s for s in splits.values() if s == {name}] for name in ("train", "val", "test")
    }
    assert [len(rows) for rows in counts.values()] == [24, 3, 4]
