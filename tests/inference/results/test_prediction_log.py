import errno
import json
from collections import Counter
from io import FileIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.evaluation import PredictionRecord, read_predictions
from vgtoolbox.inference.results.prediction_log import PredictionLog, remaining_pairs


def record(image, expression):
    return PredictionRecord(
        id="0",
        image=image,
        expression=expression,
        size=[2, 3],
        boxes_xyxy=[],
        scores=[],
        masks=[],
        merged_mask=None,
        no_target=True,
        existence=0.0,
        text=None,
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "predictions.jsonl"


def test_grows_over_several_runs(path):
    for run in range(3):
        with PredictionLog(path, {}) as log:
            assert log.counts() == Counter({("i", str(n)): 1 for n in range(run)})
            log.append([record("i", str(run))])
    assert [line["expression"] for line in read_predictions(path)] == ["0", "1", "2"]


def test_records_are_flushed_before_the_log_is_closed(path):
    with PredictionLog(path, {}) as log:
        log.append([record("i", "ü")])
        assert read_predictions(path)[0]["expression"] == "ü"


@pytest.mark.parametrize("kept", range(1, 150, 7))
def test_partial_last_line_is_removed(path, kept):
    line = json.dumps(record("i", "a" * 80)) + "\n"
    path.parent.mkdir()
    path.write_text(line * 2 + line[: min(kept, len(line) - 1)])
    with PredictionLog(path, {}) as log:
        assert log.counts() == {("i", "a" * 80): 2}
        log.append([record("j", "b")])
    assert len(read_predictions(path)) == 3


def test_partial_line_longer_than_a_block(path):
    path.parent.mkdir()
    path.write_text("{" * 200_000)
    with PredictionLog(path, {}) as log:
        assert not log.counts()
    assert path.read_text() == ""


def test_other_settings_are_rejected(path):
    with PredictionLog(path, {"checkpoint": "a.pth", "score_thr": 0.5}) as log:
        log.append([record("i", "a")])
    with (
        pytest.raises(ValueError, match=r"written with checkpoint = 'a\.pth'.*'b\.pth'"),
        PredictionLog(path, {"checkpoint": "b.pth", "score_thr": 0.5}),
    ):
        raise AssertionError("not reached")
    path.unlink()
    with PredictionLog(path, {"checkpoint": "b.pth"}) as log:
        assert not log.counts()


def test_error_names_a_broken_line(path):
    path.parent.mkdir()
    path.write_text("not json\n")
    with PredictionLog(path, {}) as log, pytest.raises(ValueError, match="line 1 is not JSON"):
        log.counts()


def test_append_outside_of_the_block_is_an_error(path):
    with pytest.raises(ValueError, match="`with` block"):
        PredictionLog(path, {}).append([])


@given(st.lists(st.sampled_from("abc")), st.data())
def test_remaining_pairs_are_neither_lost_nor_repeated(texts, data):
    pairs = [("i", text) for text in texts]
    cut = data.draw(st.integers(0, len(pairs)))
    done = Counter(pairs[:cut])
    left = remaining_pairs(pairs, ["i"] * len(pairs), done)
    assert left == list(range(cut, len(pairs)))


def test_a_full_disk_leaves_the_earlier_lines(path, monkeypatch):
    class Full(FileIO):
        def write(self, data):
            super().write(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

    with PredictionLog(path, {}) as log:
        log.append([record("i", "a")])
        before = path.read_bytes()
        monkeypatch.setattr(log, "_file", Full(path, "ab"))
        with pytest.raises(OSError, match=r"no space left for .*predictions\.jsonl: the disk is"):
            log.append([record("i", "b")])
    assert path.read_bytes() == before


def test_doubled_lines_are_named():
    pairs = [("i", "a"), ("i", "b"), ("j", "a")]
    done = {("i", "a"): 3, ("i", "b"): 1, ("other", "a"): 5}
    with pytest.warns(UserWarning, match="has 2 lines too many, for example for 'a' in i"):
        assert remaining_pairs(pairs, ["i", "i", "j"], done) == [2]
