"""The page as it is served: hostile requests, held connections, passwords and signals."""

import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "tools" / "dev"))

pytest.importorskip("gradio", reason="gradio is not installed")

from page_attacks.attacks import ATTACKS, Canary, HeldConnection  # noqa: E402
from page_attacks.process import PageProcess, photo  # noqa: E402
from page_attacks.visitor import API, Visitor  # noqa: E402

from vgtoolbox.cli.main import main  # noqa: E402
from vgtoolbox.webui import Access, AccessError, Credentials  # noqa: E402
from vgtoolbox.webui.page import build_page, launch_page  # noqa: E402

PHOTO = photo(96, 64)
COMPLETE = "200 complete"


@pytest.fixture(scope="module")
def canary():
    with Canary() as canary:
        yield canary


@pytest.fixture(scope="module")
def visitor(responder, canary):
    page = build_page(responder)
    address = launch_page(page, port=0, max_file_bytes=100_000, block=False)
    yield Visitor(int(re.search(r":(\d+)/", address)[1]), "miniature", canary.port)
    page.close()


def is_refused(kind):
    return kind in ("closed", "200 error") or kind.startswith("4")


ANSWERED = {  # harmless after all: the part that is wrong is not used
    *("path-like name", "animation", "expression is a number", "expression is a prediction"),
    *("cancel of an unknown question", "large photo, 8 expressions"),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.timeout(60)
def test_hostile_requests_are_refused(name, visitor, canary, responder):
    outcome = visitor.attack(ATTACKS[name])
    assert is_refused(outcome.kind) or name in ANSWERED, outcome
    assert outcome.seconds < 30
    for secret in (responder.files_folder.parent, REPOSITORY, "Traceback", "root:x:0"):
        assert str(secret) not in outcome.text
    assert canary.requests == []


def test_honest_questions_are_answered_with_files_that_can_be_fetched(visitor, responder):
    outcome = visitor.ask(PHOTO, "two dogs\nthe red circle")
    assert str(responder.files_folder.parent) not in outcome.text
    routes = set(re.findall(rf"http://[^/]*({API}/file=[^\"]*)", outcome.text))
    assert len(routes) == 4  # two drawings, all of them together, and JSON
    for route in routes:
        reply = visitor.request("GET", route)
        assert reply.startswith("200 ")
        assert "nosniff" in reply
        assert str(responder.files_folder) not in reply


def test_examples_are_offered_without_the_folder_of_the_server(responder, photo):
    page = build_page(responder, examples=[(str(photo), "two dogs")])
    address = launch_page(page, port=0, max_file_bytes=100_000, block=False)
    visitor = Visitor(int(re.search(r":(\d+)/", address)[1]), "miniature", 0)
    config = visitor.request("GET", "/config")
    assert str(photo.parent) not in config
    reply = visitor.post(f"{API}/run/predict", {"data": [0], "fn_index": 0})
    (name,) = set(re.findall(r'"path": ?"([^"]*)"', reply))
    assert name.startswith("/files/")
    assert name.endswith("/photo.png")
    assert visitor.attack(lambda visitor: visitor.find(name, "two dogs")).kind == COMPLETE
    page.close()


def test_uploaded_pages_are_not_shown_as_pages(visitor):
    for name in ("x.html", "x.svg", "x.xml"):
        reply = visitor.request("GET", f"{API}/file={visitor.upload(b'<script>', name)}")
        assert "attachment" in reply
        assert "text/html" not in reply
        assert "image/svg" not in reply


def test_client_of_gradio(visitor, tmp_path):
    client = pytest.importorskip("gradio_client")
    file = tmp_path / "photo.jpg"
    file.write_bytes(PHOTO)
    page = client.Client(f"http://127.0.0.1:{visitor.port}", verbose=False, download_files=False)
    answer = page.predict(
        client.handle_file(str(file)), "two dogs", "miniature", 0.5, ["boxes"], api_name="/find"
    )
    assert "two dogs" in answer[0]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_held_connections_are_closed_and_do_not_keep_others_away(visitor):
    held = [HeldConnection(visitor.port, number) for number in range(300)]
    assert visitor.ask(PHOTO, "two dogs").seconds < 5
    deadline = time.monotonic() + 30
    while any(connection.is_open() for connection in held):
        assert time.monotonic() < deadline, "connections are held open"
        time.sleep(0.5)
    assert visitor.ask(PHOTO, "two dogs").seconds < 5


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_trickled_headers_and_bodies_are_given_up(visitor):
    body = b"POST /gradio_api/call/find HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    body += b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n" + b" " * 900
    for data in (b"GET / HTTP/1.1\r\nX: " + b"x" * 900, body):
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", visitor.port), timeout=60) as connection:
            try:
                for number in range(len(data)):
                    connection.sendall(data[number : number + 1])
                    time.sleep(0.05)
            except OSError:
                pass
            else:
                pytest.fail("the connection stayed open")
        assert time.monotonic() - started < 25


def test_password_protects_everything(responder):
    page = build_page(responder)
    access = Access(credentials=Credentials("ann", "secret"))
    address = launch_page(page, port=0, max_file_bytes=100, block=False, access=access)
    visitor = Visitor(int(re.search(r":(\d+)/", address)[1]), "miniature", 0)
    for path in ("/", "/config", "/theme.css", f"{API}/info", f"{API}/queue/data?session_hash=x"):
        assert visitor.request("GET", path).startswith("401 ")
    reply = visitor.request("GET", "/config", headers={"Authorization": "Basic YW5uOnNlY3JldA=="})
    assert reply.startswith("200 ")
    page.close()


def test_port_in_use(responder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AccessError, match=f"port {port} of 127.0.0.1 must be free"):
            launch_page(build_page(responder), port=port, max_file_bytes=100, block=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "other machines can reach; set VGTOOLBOX_AUTH"),
        (["--host", "::"], "other machines can reach"),
        (["--host", "nowhere.invalid"], "host must be an address"),
        (["--auth", "ann"], "--auth must be USER:PASSWORD"),
        (["--auth-file", "absent"], "absent must be a text file"),
        (["--port", "70000"], "must be an integer from 0 to 65535"),
        (["--auth", "a:b", "--auth-file", "c"], "not allowed with"),
    ],
)
def test_mistakes_in_the_options_of_the_command(words, message, capsys, monkeypatch):
    monkeypatch.delenv("VGTOOLBOX_AUTH", raising=False)
    assert main(["webui", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_temporary_files_are_removed_on_signals_and_after_a_kill(released_checkpoint):
    with PageProcess(released_checkpoint) as page:
        Visitor(page.port, page.model, 0).ask(PHOTO, "two dogs")
        assert len(page.folders()) == 1
        page.process.kill()
        page.process.wait(30)
        (dead,) = page.folders()
        page.start()
        (alive,) = page.folders()
        assert alive != dead
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            page.process.send_signal(number)
            assert page.process.wait(30) == code
            assert page.folders() == []
            page.start()
        # Also if the signal comes while visitors are connected.
        held = [HeldConnection(page.port, number) for number in range(20)]
        assert page.stop() == 143
        assert page.folders() == []
        for connection in held:
            connection.close()
