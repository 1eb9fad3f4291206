import json

import pytest

from vgtoolbox.preparation import BENCHMARKS, check_benchmark, repair_benchmark
from vgtoolbox.preparation.raw_files import _move_up


@pytest.mark.parametrize("name", ["refclef", "refzom", "rrefcoco", "reasonseg", "instancevg"])
def test_what_has_no_fault_stays_as_it_is(twins, tmp_path, name):
    benchmark = BENCHMARKS[name]
    assert repair_benchmark(benchmark, twins, tmp_path / "out") == []
    before, after = (check_benchmark(benchmark, r) for r in (twins, tmp_path / "out"))
    assert [s.counts for s in after.splits] == [s.counts for s in before.splits]
    assert after.all_faults == []


def test_the_original_is_not_touched_and_a_copy_not_overwritten(copy, tmp_path):
    before = {p: p.read_bytes() for p in (copy / "refcoco").iterdir()}
    repair_benchmark(BENCHMARKS["refcoco"], copy, tmp_path / "out")
    assert {p: p.read_bytes() for p in (copy / "refcoco").iterdir()} == before
    with pytest.raises(FileExistsError, match="is there already"):
        repair_benchmark(BENCHMARKS["refcoco"], copy, tmp_path / "out")


def test_a_format_that_is_not_mended_is_refused(twins, tmp_path):
    with pytest.raises(ValueError, match="can not be mended"):
        repair_benchmark(BENCHMARKS["segllm"], twins, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_reasonseg_leaves_out_what_has_no_readable_annotation(copy, tmp_path):
    first, second, *rest = sorted((copy / "reason_seg/ReasonSeg/train").glob("*.json"))
    first.write_text("{")
    second.with_suffix(".jpg").unlink()
    benchmark = BENCHMARKS["reasonseg"]
    assert len(repair_benchmark(benchmark, copy, tmp_path / "out")) == 2
    report = check_benchmark(benchmark, tmp_path / "out")
    assert report.all_faults == []
    assert report.splits[0].counts.refs == len(rest)


def test_groups_move_up_where_an_item_is_left_out(copy, tmp_path):
    folder = "seqtr_type/annotations/rrefcoco"
    path = copy / folder / "instance.json"
    splits = json.loads(path.read_text())
    splits["val_rrefcoco"][0][0]["width"] = "wide"
    path.write_text(json.dumps(splits))
    mends = repair_benchmark(BENCHMARKS["instancevg"], copy, tmp_path / "out")
    assert [mend.where for mend in mends] == ["instance.json, split 'val_rrefcoco', item 0"]
    before, after = (
        json.loads((root / folder / "instance_index.json").read_text())["val_rrefcoco"]
        for root in (copy, tmp_path / "out")
    )
    assert after[-1][1] == before[-1][1] - 1
    assert check_benchmark(BENCHMARKS["instancevg"], tmp_path / "out").all_faults == []


def test_a_group_without_items_is_gone():
    assert _move_up([[0, 2], [2, 3], [3, 5]], [True, False, False, True, True]) == [[0, 1], [1, 3]]
