import gzip
import json

import pytest

from vgtoolbox.preparation import BENCHMARKS, check_benchmark, repair_benchmark
from vgtoolbox.preparation.repairers import _update_groups


@pytest.mark.parametrize("name", ["refclef", "refzom", "rrefcoco", "reasonseg", "instancevg"])
def test_data_without_problems_are_unchanged(world, tmp_path, name):
    benchmark = BENCHMARKS[name]
    assert repair_benchmark(benchmark, world, tmp_path / "out") == []
    before, after = (check_benchmark(benchmark, r) for r in (world, tmp_path / "out"))
    assert [s.counts for s in after.splits] == [s.counts for s in before.splits]
    assert after.all_problems == []


def test_original_is_unchanged_and_copy_is_not_overwritten(copy, tmp_path):
    before = {p: p.read_bytes() for p in (copy / "refcoco").iterdir()}
    repair_benchmark(BENCHMARKS["refcoco"], copy, tmp_path / "out")
    assert {p: p.read_bytes() for p in (copy / "refcoco").iterdir()} == before
    with pytest.raises(FileExistsError, match="must not exist yet"):
        repair_benchmark(BENCHMARKS["refcoco"], copy, tmp_path / "out")


def test_format_that_cannot_be_repaired_raises(world, tmp_path):
    with pytest.raises(ValueError, match="reader of segllm must be one of"):
        repair_benchmark(BENCHMARKS["segllm"], world, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_reasonseg_drops_unreadable_annotations_and_missing_images(copy, tmp_path):
    first, second, *rest = sorted((copy / "reason_seg/ReasonSeg/train").glob("*.json"))
    first.write_text("{")
    second.with_suffix(".jpg").unlink()
    benchmark = BENCHMARKS["reasonseg"]
    assert len(repair_benchmark(benchmark, copy, tmp_path / "out")) == 2
    report = check_benchmark(benchmark, tmp_path / "out")
    assert report.all_problems == []
    assert report.splits[0].counts.refs == len(rest)


def test_groups_are_updated_after_an_item_is_dropped(copy, tmp_path):
    folder = "seqtr_type/annotations/rrefcoco"
    path = copy / folder / "instance.json"
    splits = json.loads(path.read_text())
    splits["val_rrefcoco"][0][0]["width"] = "wide"
    path.write_text(json.dumps(splits))
    repairs = repair_benchmark(BENCHMARKS["instancevg"], copy, tmp_path / "out")
    assert [repair.location for repair in repairs] == [
        "instance.json, split 'val_rrefcoco', item 0"
    ]
    before, after = (
        json.loads((root / folder / "instance_index.json").read_text())["val_rrefcoco"]
        for root in (copy, tmp_path / "out")
    )
    assert after[-1][1] == before[-1][1] - 1
    assert check_benchmark(BENCHMARKS["instancevg"], tmp_path / "out").all_problems == []


def test_groups_without_items_are_removed():
    assert _update_groups([[0, 2], [2, 3], [3, 5]], [True, False, False, True, True]) == [
        [0, 1],
        [1, 3],
    ]


def test_compressed_files_are_repaired(copy, tmp_path):
    for name in ("grefs(unc).json", "instances.json"):
        file = copy / "grefcoco" / name
        file.with_name(f"{name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert repair_benchmark(BENCHMARKS["grefcoco"], copy, tmp_path / "out") == []
    names = {path.name for path in (tmp_path / "out" / "grefcoco").iterdir()}
    assert {"grefs(unc).json", "instances.json"} <= names
    assert check_benchmark(BENCHMARKS["grefcoco"], tmp_path / "out").all_problems == []
