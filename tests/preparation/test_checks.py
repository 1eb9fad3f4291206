import json

import cv2
import pytest

from vgtoolbox.preparation import BENCHMARKS, check_benchmark, repair_benchmark
from vgtoolbox.preparation.checks import KINDS

REFCOCO = BENCHMARKS["refcoco"]


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_a_generated_twin_has_no_fault(twins, name):
    assert check_benchmark(BENCHMARKS[name], twins).all_faults == []


def plant(refs, copy):
    """Break a dozen things of RefCOCO, each in its own way and place.

    Returns:
        kind of fault -> what its place and message have to name.
    """
    train, val = refs.of_split("train"), refs.of_split("val")
    missing, broken, resized, shared = list(dict.fromkeys(ref["image_id"] for ref in train))[:4]
    folder = copy / "images"
    (folder / refs.images[missing]["file_name"]).unlink()
    path = folder / refs.images[broken]["file_name"]
    path.write_bytes(path.read_bytes()[:300])
    path = folder / refs.images[resized]["file_name"]
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (50, 40)))
    # COCO's number tells that an image of val is one of train, whatever the name before it.
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
    silent = val[1]
    silent["sentences"][0] |= {"raw": "  ", "sent": ""}
    planted["expression-empty"] = f"val, refs(unc).p, ref {silent['ref_id']}"
    return planted


CHANGES = {
    "box-outside": lambda a, h, w: a.update(bbox=[w - 5, h - 5, 40, 40], segmentation=None),
    "box-empty": lambda a, h, w: a["bbox"].__setitem__(2, 0),
    "polygon-broken": lambda a, h, w: a.update(segmentation=[[1, 2, 3, 4]]),
    "polygon-outside": lambda a, h, w: a.update(segmentation=[[0, 0, w + 50, 0, w + 50, h]]),
    "rle-broken": lambda a, h, w: a.update(segmentation={"size": [h, w], "counts": [9]}),
    "mask-empty": lambda a, h, w: a.update(segmentation={"size": [h, w], "counts": [h * w]}),
}


def test_planted_faults_are_named_each_once_and_nothing_else(copy, refs):
    with refs:
        planted = plant(refs, copy)
    faults = check_benchmark(REFCOCO, copy).all_faults
    assert len(planted) == 12
    assert sorted(fault.kind for fault in faults) == sorted(planted)
    for fault in faults:
        assert planted[fault.kind] in f"{fault.where} {fault.found}"


def test_a_mended_copy_has_only_what_can_not_be_mended(copy, refs, tmp_path):
    with refs:
        planted = plant(refs, copy)
    out = tmp_path / "mended"
    mends = repair_benchmark(REFCOCO, copy, out)
    assert {fault.kind for fault in check_benchmark(REFCOCO, out).all_faults} == {"image-shared"}
    named = " ".join(f"{mend.where} {mend.done}" for mend in mends)
    for kind in set(planted) - {"image-shared", "expression-empty"}:
        assert planted[kind] in named
    assert (copy / "images").samefile(out / "images")


def test_every_kind_has_a_meaning(copy, refs):
    with refs:
        planted = plant(refs, copy)
    assert set(planted) <= set(KINDS)


def test_a_truncated_file_is_one_fault_of_each_split(copy):
    path = copy / "grefcoco" / "grefs(unc).json"
    path.write_text(path.read_text()[:1000])
    faults = check_benchmark(BENCHMARKS["grefcoco"], copy).all_faults
    assert [(f.kind, f.where) for f in faults] == [("file", s) for s in ("train", "val", "test")]
    assert "truncated" in faults[0].found


def test_two_annotations_of_one_id_are_a_fault_of_the_file(copy, refs):
    with refs:
        first = refs.instances["annotations"][0]
        refs.instances["annotations"].append({**first, "bbox": [1, 2, 3, 4]})
    faults = check_benchmark(REFCOCO, copy).all_faults
    assert {fault.kind for fault in faults} == {"file"}
    assert f"two different items of id {first['id']}" in faults[0].found


def test_a_ref_that_is_gone_is_missed(copy, refs):
    with refs:
        refs.refs.remove(refs.of_split("test")[0])
    (fault,) = check_benchmark(REFCOCO, copy).all_faults
    assert (fault.kind, fault.where) == ("count", "test")
    assert fault.found.startswith("refs: ")


def test_a_ref_that_stands_twice_is_named(copy, refs):
    with refs:
        again = refs.of_split("val")[0]
        refs.refs.append(again)
    kinds = [fault.kind for fault in check_benchmark(REFCOCO, copy).all_faults]
    assert sorted(kinds) == ["count", "id-repeated"]


def test_images_need_not_be_looked_at(copy):
    for path in (copy / "images").iterdir():
        path.write_bytes(b"no image")
    assert check_benchmark(REFCOCO, copy, images="exist").all_faults == []
    kinds = {fault.kind for fault in check_benchmark(REFCOCO, copy).all_faults}
    assert kinds == {"image-broken"}
    for path in (copy / "images").iterdir():
        path.unlink()
    assert check_benchmark(REFCOCO, copy, images="skip").all_faults == []
    kinds = {fault.kind for fault in check_benchmark(REFCOCO, copy, images="exist").all_faults}
    assert kinds == {"image-missing"}


def test_official_counts_are_compared_outside_generated_data(copy):
    (copy / "statistics.json").unlink()
    (copy / "images").rename(copy / "train2014")
    (copy / "images").mkdir()
    (copy / "train2014").rename(copy / "images" / "train2014")
    report = check_benchmark(BENCHMARKS["refcoco+"], copy)
    assert {fault.kind for fault in report.all_faults} == {"count"}
    val = next(fault for fault in report.all_faults if fault.where == "val")
    assert "3,805 expected" in val.found and "10,758 expected" in val.found


def test_instancevg_faults_have_their_place(copy):
    path = copy / "seqtr_type" / "annotations" / "grefs" / "instances.json"
    splits = json.loads(path.read_text())
    item = next(i for i in splits["val"] if i["annotations"][0]["bbox"])
    item["annotations"][0]["bbox"][2] = -3
    splits["val"][-1] = {"image_id": 1}
    path.write_text(json.dumps(splits))
    faults = check_benchmark(BENCHMARKS["instancevg"], copy).all_faults
    assert sorted(fault.kind for fault in faults) == ["box-empty", "format"]
    assert all(fault.where.startswith("grefs/val, instances.json, split 'val'") for fault in faults)
