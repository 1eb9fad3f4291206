import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.evaluation import PredictionRecord
from vgtoolbox.visualization.overlay import LAYERS
from vgtoolbox.webui import Limits, PageError, Responder
from vgtoolbox.webui.answering import COLUMNS


def ask(responder, photo, text="two dogs", **changes):
    usual = {"model": "miniature", "score_thr": 0.01, "layers": LAYERS}
    return responder.answer(photo, text, **(usual | changes))


def test_pictures_table_and_files(responder, photo):
    answer = ask(responder, photo, "two dogs\n\n  the red circle ")
    assert [words.split(":")[0] for _, words in answer.pictures] == [
        "“two dogs”",
        "“the red circle”",
    ]
    assert all(len(row) == len(COLUMNS) for row in answer.rows)
    assert answer.rows[0][:2] == ["two dogs", 1]
    records = json.loads(answer.result_file.read_text())
    assert set(records[0]) == PredictionRecord.__required_keys__
    assert records[0]["image"] == "photo.png"
    height = sum(picture.shape[0] for picture, _ in answer.pictures)
    assert Image.open(answer.image_file).height == height + 8


def test_no_target_is_said_plainly(responder, photo):
    answer = ask(responder, photo, score_thr=1.0)
    assert "no target in this picture" in answer.verdict
    assert answer.rows == []


def test_without_a_threshold_it_is_the_models_own(responder, photo):
    ask(responder, photo, score_thr=0.9)
    assert ask(responder, photo, score_thr=None).rows == ask(responder, photo, score_thr=0.7).rows
    assert responder.inferencer("miniature").score_thr == 0.7
    ask(responder, photo, score_thr=0.2)
    ask(responder, photo, score_thr=None)
    assert responder.inferencer("miniature").score_thr == 0.7


def test_layers_and_attention_change_the_picture(responder, photo):
    drawn = [ask(responder, photo, layers=[layer]).pictures[0][0] for layer in LAYERS]
    drawn += [ask(responder, photo, layers=[]).pictures[0][0]]
    drawn += [ask(responder, photo, layers=[], attention=True).pictures[0][0]]
    for i, one in enumerate(drawn):
        assert not any(np.array_equal(one, other) for other in drawn[:i])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "type what to look for"),
        ("  \n ", "type what to look for"),
        ("a\n" * 9, "9 expressions are too many; at most 8"),
        ("x" * 10_001, "10,001 characters are too many"),
        ("?!", "is empty"),
    ],
)
def test_expressions_within_limits(responder, photo, text, words):
    with pytest.raises(PageError, match=words):
        ask(responder, photo, text)


def test_10_000_characters_are_answered(responder, photo):
    assert len(ask(responder, photo, "red circle " * 909).pictures) == 1


def test_files_within_limits(responder, tmp_path):
    with pytest.raises(PageError, match="choose a picture first"):
        ask(responder, None)
    with pytest.raises(PageError, match="no longer there"):
        ask(responder, tmp_path / ".." / "secret.png")
    large, many, text = tmp_path / "large.png", tmp_path / "many.png", tmp_path / "text.jpg"
    large.write_bytes(b"\0" * 200_000)
    Image.new("L", (101, 100)).save(many)
    text.write_text("just words")
    for path, words in [(large, "at most 0 MiB"), (many, "101 x 100 pixels"), (text, "holds text")]:
        with pytest.raises(PageError, match=words) as raised:
            ask(responder, path)
        assert str(tmp_path) not in str(raised.value)


def test_an_unknown_model(responder, photo):
    with pytest.raises(PageError, match="no model 'other'; there are miniature"):
        ask(responder, photo, model="other")


@pytest.mark.slow
def test_many_at_once_get_their_own_answers_and_old_files_go(responder, photo):
    def own(index):
        return index, ask(responder, photo, f"{'very ' * (index % 5)}red circle", score_thr=0.01)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(own, range(50)))
    for index, answer in answers:
        assert answer.pictures[0][1].startswith(f"“{'very ' * (index % 5)}red circle”")
    assert sum(answer.image_file.is_file() for _, answer in answers) <= 32


def test_close_removes_all_files(responder, photo):
    other = Responder(responder.models, Limits())
    answer = ask(other, photo)
    other.close()
    assert not answer.image_file.exists()


def test_a_model_without_a_threshold(responder, photo, monkeypatch):
    inferencer = responder.inferencer("miniature")
    assert ask(responder, photo, score_thr=None).pictures
    monkeypatch.setattr(type(inferencer.model), "score_thr", None)
    with pytest.raises(PageError, match="has no score threshold"):
        ask(responder, photo, score_thr=0.4)
