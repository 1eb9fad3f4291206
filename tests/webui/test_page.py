"""Test the page in a real browser: upload, enter, find, look, download."""

import json
from pathlib import Path

import pytest
from PIL import Image

from vgtoolbox.webui.page import _handicap, build_page, find_examples, launch_page
from vgtoolbox.webui.screenshots import AskAction, find_chromium, take_screenshots

CHROMIUM = find_chromium()


def test_examples_are_the_first_images_of_a_folder(photo, tmp_path):
    Image.open(photo).convert("RGB").save(tmp_path / "a.jpg")
    assert find_examples(tmp_path, ["x", "y"]) == [(str(tmp_path / "a.jpg"), "x\ny")]
    assert find_examples(tmp_path / "nowhere", ["x"]) == []


def test_large_questions_let_small_ones_pass(tmp_path, photo):
    large = tmp_path / "large.png"
    Image.new("L", (4000, 3000)).save(large)
    assert _handicap(str(large), "a\nb\n") == pytest.approx(24)
    assert _handicap(str(large), "a\n" * 3000) == 90
    assert _handicap(str(photo), "a") < 0.1
    for nothing in (None, str(tmp_path / "absent"), str(tmp_path), __file__):
        assert _handicap(nothing, "a") == 0


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    file = tmp_path_factory.mktemp("examples") / "circle.png"
    Image.new("RGB", (80, 60), "red").save(file)
    return file


@pytest.fixture(scope="module")
def address(responder, example):
    pytest.importorskip("gradio", reason="gradio is not installed")
    page = build_page(responder, examples=[(str(example), "the red circle")])
    yield launch_page(page, port=None, max_file_bytes=100_000, block=False)
    page.close()


@pytest.fixture
def tab(address):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
        # The page must not contact any other server.
        foreign = []
        tab.on("request", lambda r: foreign.append(r.url) if is_foreign(r.url, address) else None)
        tab.set_default_timeout(60_000)
        tab.goto(address)
        yield tab
        browser.close()
    assert foreign == []


def is_foreign(url, address):
    return url.startswith("http") and not url.startswith(address.rstrip("/"))


def ask(tab, file, words):
    tab.set_input_files("#image input[type=file]", file)
    tab.get_by_text(Path(file).name[:4]).first.wait_for()
    tab.fill("#expressions textarea", words)
    tab.click("#find")


@pytest.mark.slow
def test_upload_find_and_download(tab, photo, tmp_path):
    ask(tab, photo, "two dogs\nthe red circle")
    tab.get_by_text("existence").first.wait_for()
    tab.wait_for_selector("#found img")
    for kind in ("png", "json"):
        with tab.expect_download() as waiting:
            tab.click(f"#download-{kind}")
        waiting.value.save_as(tmp_path / f"got.{kind}")
    assert Image.open(tmp_path / "got.png").width >= 80
    records = json.loads((tmp_path / "got.json").read_text())
    assert [record["expression"] for record in records] == ["two dogs", "the red circle"]


@pytest.mark.slow
def test_example(tab):
    tab.get_by_text("circle.png").first.click()
    tab.get_by_text("circle", exact=True).first.wait_for()  # gradio shows the suffix on its own
    assert tab.input_value("#expressions textarea") == "the red circle"
    tab.click("#find")
    tab.wait_for_selector("#found img")


@pytest.mark.slow
def test_invalid_file_shows_a_message(tab, tmp_path, photo):
    text = tmp_path / "text.jpg"
    text.write_text("just words")
    ask(tab, text, "two dogs")
    tab.get_by_text("it contains text").wait_for()


@pytest.mark.slow
def test_page_listens_on_the_loopback_interface_only(address):
    assert address.startswith("http://127.0.0.1:")


@pytest.mark.slow
def test_screenshots_of_the_page(address, photo, tmp_path):
    pytest.importorskip("playwright", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    actions = {
        tmp_path / "plain.png": AskAction(photo, ["two dogs"]),
        tmp_path / "heat.png": AskAction(photo, ["two dogs"], layer="attention map"),
    }
    take_screenshots(address, CHROMIUM, actions)
    plain, heat = (Image.open(file).convert("RGB") for file in actions)
    assert plain.size == heat.size
    assert plain.tobytes() != heat.tobytes()
