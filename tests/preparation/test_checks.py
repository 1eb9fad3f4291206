import json

import cv2
import pytest

from vgtoolbox.preparation import BENCHMARKS, check_benchmark, repair_benchmark
from vgtoolbox.preparation.checks import PROBLEM_KINDS

REFCOCO = BENCHMARKS["refcoco"]


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_generated_benchmarks_have_no_problems(world, name):
    assert check_benchmark(BENCHMARKS[name], world).all_problems == []


def plant(refs, copy):
    """Plant twelve problems of different kinds and locations in RefCOCO.

    Returns:
        Kind of problem -> text that its location or message must contain.
    """
    train, val = refs.of_split("train"), refs.of_split("val")
    missing, broken, resized, shared = list(dict.fromkeys(ref["image_id"] for ref in train))[:4]
    folder = copy / "images"
    (folder / refs.images[missing]["file_name"]).unlink()
    path = folder / refs.images[broken]["file_name"]
    path.write_bytes(path.read_bytes()[:300])
    path = folder / refs.images[resized]["file_name"]
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (50, 40)))
    # The COCO number identifies an image of val as one of train, independent of its prefix.
    first = refs.images[val[0]["image_id"]]
    renamed = f"COCO_val2014_{shared:012d}.jpg"
    (folder / first["file_name"]).rename(folder / renamed)
    first["file_name"] = renamed

    places = iter([ref for ref in train if ref["image_id"] != resized])
    planted = {
        "image-missing": refs.images[missing]["file_name"],
        "image-broken": refs.images[broken]["file_name"],
        "image-size": refs.images[resized]["file_name"],
        "image-shared": renamed,
    }
    for kind, change in CHANGES.items():
        annotation = refs.annotations[next(places)["ann_id"]]
        image = refs.images[annotation["image_id"]]
        change(annotation, image["height"], image["width"])
        planted[kind] = f"annotation {annotation['id']}"
    dangling = next(places)
    dangling["ann_id"] = 987654
    planted["format"] = f"ref {dangling['ref_id']}"
    empty = val[1]
    empty["sentences"][0] |= {"raw": "  ", "sent": ""}
    planted["expression-empty"] = f"val, refs(unc).p, ref {empty['ref_id']}"
    return planted


CHANGES = {
    "box-outside": lambda a, h, w: a.update(bbox=[w - 5, h - 5, 40, 40], segmentation=None),
    "box-empty": lambda a, h, w: a["bbox"].__setitem__(2, 0),
    "polygon-broken": lambda a, h, w: a.update(segmentation=[[1, 2, 3, 4]]),
    "polygon-outside": lambda a, h, w: a.update(segmentation=[[0, 0, w + 50, 0, w + 50, h]]),
    "rle-broken": lambda a, h, w: a.update(segmentation={"size": [h, w], "counts": [9]}),
    "mask-empty": lambda a, h, w: a.update(segmentation={"size": [h, w], "counts": [h * w]}),
}


def test_each_planted_problem_is_reported_once(copy, refs):
    with refs:
        planted = plant(refs, copy)
    problems = check_benchmark(REFCOCO, copy).all_problems
    assert len(planted) == 12
    assert sorted(problem.kind for problem in problems) == sorted(planted)
    for problem in problems:
        assert planted[problem.kind] in f"{problem.location} {problem.message}"


def test_repaired_copy_has_only_irreparable_problems(copy, refs, tmp_path):
    with refs:
        planted = plant(refs, copy)
    out = tmp_path / "repaired"
    repairs = repair_benchmark(REFCOCO, copy, out)
    assert {problem.kind for problem in check_benchmark(REFCOCO, out).all_problems} == {
        "image-shared"
    }
    reported = " ".join(f"{repair.location} {repair.change}" for repair in repairs)
    for kind in set(planted) - {"image-shared", "expression-empty"}:
        assert planted[kind] in reported
    assert (copy / "images").samefile(out / "images")


def test_all_kinds_of_problems_have_a_description(copy, refs):
    with refs:
        planted = plant(refs, copy)
    assert set(planted) <= set(PROBLEM_KINDS)


def test_truncated_file_is_one_problem_per_split(copy):
    path = copy / "grefcoco" / "grefs(unc).json"
    path.write_text(path.read_text()[:1000])
    problems = check_benchmark(BENCHMARKS["grefcoco"], copy).all_problems
    assert [(f.kind, f.location) for f in problems] == [
        ("file", s) for s in ("train", "val", "test")
    ]
    assert "truncated" in problems[0].message


def test_duplicate_annotation_ids_are_a_problem_of_the_file(copy, refs):
    with refs:
        first = refs.instances["annotations"][0]
        refs.instances["annotations"].append({**first, "bbox": [1, 2, 3, 4]})
    problems = check_benchmark(REFCOCO, copy).all_problems
    assert {problem.kind for problem in problems} == {"file"}
    assert f"two items with the id {first['id']}" in problems[0].message


def test_removed_ref_changes_the_count(copy, refs):
    with refs:
        refs.refs.remove(refs.of_split("test")[0])
    (problem,) = check_benchmark(REFCOCO, copy).all_problems
    assert (problem.kind, problem.location) == ("count", "test")
    assert problem.message.startswith("refs: ")


def test_repeated_ref_is_reported(copy, refs):
    with refs:
        again = refs.of_split("val")[0]
        refs.refs.append(again)
    kinds = [problem.kind for problem in check_benchmark(REFCOCO, copy).all_problems]
    assert sorted(kinds) == ["count", "id-repeated"]


def test_image_checks_can_be_reduced_or_skipped(copy):
    for path in (copy / "images").iterdir():
        path.write_bytes(b"not an image")
    assert check_benchmark(REFCOCO, copy, images="exist").all_problems == []
    kinds = {problem.kind for problem in check_benchmark(REFCOCO, copy).all_problems}
    assert kinds == {"image-broken"}
    for path in (copy / "images").iterdir():
        path.unlink()
    assert check_benchmark(REFCOCO, copy, images="skip").all_problems == []
    kinds = {
        problem.kind for problem in check_benchmark(REFCOCO, copy, images="exist").all_problems
    }
    assert kinds == {"image-missing"}


def test_official_counts_are_expected_for_official_data(copy):
    (copy / "statistics.json").unlink()
    (copy / "images").rename(copy / "train2014")
    (copy / "images").mkdir()
    (copy / "train2014").rename(copy / "images" / "train2014")
    report = check_benchmark(BENCHMARKS["refcoco+"], copy)
    assert {problem.kind for problem in report.all_problems} == {"count"}
    val = next(problem for problem in report.all_problems if problem.location == "val")
    assert "3,805 expected" in val.message and "10,758 expected" in val.message


def test_problems_of_instancevg_name_their_item(copy):
    path = copy / "seqtr_type" / "annotations" / "grefs" / "instances.json"
    splits = json.loads(path.read_text())
    item = next(i for i in splits["val"] if i["annotations"][0]["bbox"])
    item["annotations"][0]["bbox"][2] = -3
    splits["val"][-1] = {"image_id": 1}
    path.write_text(json.dumps(splits))
    problems = check_benchmark(BENCHMARKS["instancevg"], copy).all_problems
    assert sorted(problem.kind for problem in problems) == ["box-empty", "format"]
    assert all(
        problem.location.startswith("grefs/val, instances.json, split 'val'")
        for problem in problems
    )
