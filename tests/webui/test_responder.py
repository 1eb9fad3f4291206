import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.evaluation import PredictionRecord
from vgtoolbox.visualization.overlay import LAYERS
from vgtoolbox.webui import PageError, RequestLimits, Responder
from vgtoolbox.webui.responder import TABLE_COLUMNS


def ask(responder, photo, text="two dogs", **changes):
    defaults = {"model": "miniature", "score_thr": 0.01, "layers": LAYERS}
    return responder.respond(photo, text, **(defaults | changes))


def test_images_table_and_files(responder, photo):
    response = ask(responder, photo, "two dogs\n\n  the red circle ")
    assert [summary.split(":")[0] for _, summary in response.images] == [
        "“two dogs”",
        "“the red circle”",
    ]
    assert all(len(row) == len(TABLE_COLUMNS) for row in response.rows)
    assert response.rows[0][:2] == ["two dogs", 1]
    records = json.loads(response.result_file.read_text())
    assert set(records[0]) == PredictionRecord.__required_keys__
    assert records[0]["image"] == "photo.png"
    height = sum(image.shape[0] for image, _ in response.images)
    assert Image.open(response.image_file).height == height + 8


def test_summary_says_that_there_is_no_target(responder, photo):
    response = ask(responder, photo, score_thr=1.0)
    assert "no target in this image" in response.summary
    assert response.rows == []


def test_default_threshold_is_that_of_the_model(responder, photo):
    ask(responder, photo, score_thr=0.9)
    assert ask(responder, photo, score_thr=None).rows == ask(responder, photo, score_thr=0.7).rows
    assert responder.inferencer("miniature").score_thr == 0.7
    ask(responder, photo, score_thr=0.2)
    ask(responder, photo, score_thr=None)
    assert responder.inferencer("miniature").score_thr == 0.7


def test_layers_and_attention_change_the_image(responder, photo):
    drawn = [ask(responder, photo, layers=[layer]).images[0][0] for layer in LAYERS]
    drawn += [ask(responder, photo, layers=[]).images[0][0]]
    drawn += [ask(responder, photo, layers=[], attention=True).images[0][0]]
    for i, one in enumerate(drawn):
        assert not any(np.array_equal(one, other) for other in drawn[:i])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "enter at least one expression"),
        ("  \n ", "enter at least one expression"),
        ("a\n" * 9, "at most 8 expressions, got 9"),
        ("x" * 10_001, "at most 10,000 characters, got 10,001"),
        ("?!", "is empty"),
    ],
)
def test_expressions_outside_the_limits(responder, photo, text, message):
    with pytest.raises(PageError, match=message):
        ask(responder, photo, text)


def test_10_000_characters_are_accepted(responder, photo):
    assert len(ask(responder, photo, "red circle " * 909).images) == 1


def test_files_outside_the_limits(responder, tmp_path):
    with pytest.raises(PageError, match="choose an image first"):
        ask(responder, None)
    with pytest.raises(PageError, match="no longer on the server"):
        ask(responder, tmp_path / ".." / "secret.png")
    large, many, text = tmp_path / "large.png", tmp_path / "many.png", tmp_path / "text.jpg"
    large.write_bytes(b"\0" * 200_000)
    Image.new("L", (101, 100)).save(many)
    text.write_text("just words")
    for path, message in [
        (large, "at most 0.1 MiB, got 0.2 MiB"),
        (many, "101 x 100 pixels"),
        (text, "contains text"),
    ]:
        with pytest.raises(PageError, match=message) as raised:
            ask(responder, path)
        assert str(tmp_path) not in str(raised.value)


def test_unknown_model(responder, photo):
    with pytest.raises(PageError, match="model must be 'miniature', got 'other'"):
        ask(responder, photo, model="other")


@pytest.mark.slow
def test_concurrent_requests_get_their_own_responses_and_old_files_are_removed(responder, photo):
    def request(index):
        return index, ask(responder, photo, f"{'very ' * (index % 5)}red circle", score_thr=0.01)

    with ThreadPoolExecutor(10) as pool:
        responses = list(pool.map(request, range(50)))
    for index, response in responses:
        assert response.images[0][1].startswith(f"“{'very ' * (index % 5)}red circle”")
    assert sum(response.image_file.is_file() for _, response in responses) <= 32


def test_close_removes_all_files(responder, photo):
    other = Responder(responder.models, RequestLimits())
    response = ask(other, photo)
    other.close()
    assert not response.image_file.exists()


def test_model_without_a_score_threshold(responder, photo, monkeypatch):
    inferencer = responder.inferencer("miniature")
    assert ask(responder, photo, score_thr=None).images
    monkeypatch.setattr(type(inferencer.model), "score_thr", None)
    with pytest.raises(PageError, match="has no score threshold"):
        ask(responder, photo, score_thr=0.4)


def test_large_images_allow_fewer_expressions(responder, photo):
    limits = RequestLimits(total_pixels=80 * 60 * 2)
    small = Responder(responder.models, limits)
    assert len(ask(small, photo, "a\nb").images) == 2
    with pytest.raises(PageError, match="allows 2 expressions, got 3"):
        ask(small, photo, "a\nb\nc")
    small.close()


def test_results_of_downscaled_images_have_the_original_size(responder, photo, monkeypatch):
    monkeypatch.setattr("vgtoolbox.webui.responder._MODEL_PIXELS", 30 * 40)
    (record,) = json.loads(ask(responder, photo).result_file.read_text())
    assert record["size"] == [60, 80]
    assert all(mask["size"] == [60, 80] for mask in record["masks"])
    boxes = np.array(record["boxes_xyxy"])
    assert boxes[:, 2].max() > 40
    assert (boxes <= [80, 60, 80, 60]).all()


def test_drawings_are_saved_one_by_one(responder, photo):
    response = ask(responder, photo, "two dogs\nthe red circle")
    for (image, _), file in zip(response.images, response.drawn_files, strict=True):
        assert np.array_equal(np.asarray(Image.open(file)), image)
    single = ask(responder, photo)
    assert single.drawn_files == [single.image_file]


def test_work_ends_when_the_visitor_has_left(responder, photo, monkeypatch):
    inferencer = responder.inferencer("miniature")
    asked, predict = [], inferencer.predict

    def count(prepared, **options):
        asked.append(prepared)
        return predict(prepared, **options)

    monkeypatch.setattr(inferencer, "predict", count)
    with pytest.raises(PageError, match="has left"):
        ask(responder, photo, "a\nb\nc", is_wanted=lambda: len(asked) < 2)
    assert len(asked) == 2


@pytest.mark.parametrize("score_thr", [float("nan"), float("inf"), -0.1, 1.5])
def test_threshold_outside_the_unit_interval(responder, photo, score_thr):
    with pytest.raises(PageError, match="score_thr must be between 0 and 1"):
        ask(responder, photo, score_thr=score_thr)


@pytest.mark.parametrize("text", ["caf\ud83d", "a dog\n\udce9", "\u200b", "\0"])
def test_expressions_that_cannot_be_read_are_refused_with_a_printable_message(
    responder, photo, text
):
    with pytest.raises(
        PageError, match=r"photo\.png (must be whole characters|is empty)"
    ) as raised:
        ask(responder, photo, text)
    str(raised.value).encode()


def test_the_name_of_an_upload_may_be_any_bytes(responder, photo):
    try:
        upload = photo.rename(photo.with_name(os.fsdecode(b"caf\xe9\n.png")))
    except OSError as error:
        pytest.skip(f"this file system refuses the name: {error}")
    response = ask(responder, upload)
    assert json.loads(response.result_file.read_bytes())[0]["image"] == r"caf\udce9\n.png"
    upload.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    with pytest.raises(PageError, match="it looks like PostScript") as raised:
        ask(responder, upload)
    str(raised.value).encode()
    assert str(photo.parent) not in str(raised.value)
