import pytest

from vgtoolbox.preparation import BENCHMARKS, Counts
from vgtoolbox.registry import DATASETS


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_descriptions_of_benchmarks_are_complete(name, tmp_path):
    benchmark = BENCHMARKS[name]
    assert benchmark.name == name
    assert DATASETS.get(benchmark.reader["type"]) is not None
    names = [split.name for split in benchmark.splits]
    assert len(set(names)) == len(names)
    assert any(split.training for split in benchmark.splits)
    for part in (*benchmark.annotation_files, *benchmark.images):
        assert part.origin.startswith("https://")
    for split in benchmark.splits:
        benchmark.dataset(tmp_path, split)  # raises for an unknown option
    assert benchmark.missing_files(tmp_path)


def test_counts_of_the_refcoco_splits_add_up():
    """The paper has 142,209 expressions about 50,000 objects (Yu et al., ECCV 2016)."""
    counts = [split.counts for split in BENCHMARKS["refcoco"].splits]
    assert sum(c.refs for c in counts) == 50000
    assert sum(c.expressions for c in counts) == 142210
    plus = [split.counts for split in BENCHMARKS["refcoco+"].splits]
    assert sum(c.refs for c in plus) == 49856
    umd = [s.counts for s in BENCHMARKS["refcocog"].splits if s.name.startswith("umd")]
    assert sum(c.expressions for c in umd) == 95010
    assert sum(c.refs for c in umd) == 49822


def test_unknown_counts_are_not_compared():
    assert Counts(refs=3).differences(Counts(refs=3, expressions=7, images=1)) == []
    assert Counts(refs=1000).differences(Counts(refs=4)) == ["refs: 4 found, 1,000 expected"]
