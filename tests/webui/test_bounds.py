"""Bodies of requests, public names, and the folder of the server in answers."""

import asyncio
import json

import pytest

pytest.importorskip("gradio", reason="gradio is not installed")

from vgtoolbox.webui.bounds import Bounds
from vgtoolbox.webui.connections import Connections
from vgtoolbox.webui.gate import API
from vgtoolbox.webui.uploads import UploadFolder

FILE_BYTES = 100_000
KIND = "multipart/form-data; boundary=mark"


class Page:
    """Bounds in front of an application that records requests and gives a fixed answer."""

    def __init__(self, root):
        self.uploads = UploadFolder(root)
        self.answer = (b"application/json", [b"{}"])
        self.body = self.scope = None
        self.bounds = Bounds(
            self.app, uploads=self.uploads, connections=Connections(), file_bytes=FILE_BYTES
        )

    async def app(self, scope, receive, send):
        self.scope = scope
        self.body = (await receive())["body"]
        kind, parts = self.answer
        length = str(sum(map(len, parts))).encode()
        headers = [(b"content-type", kind), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, part in enumerate(parts, start=1):
            more = number < len(parts)
            await send({"type": "http.response.body", "body": part, "more_body": more})

    def request(self, method, path, parts=(b"",), kind="application/json", length=None):
        """Send a request in parts; return the status, the headers and the body of the answer."""
        sent = []
        waiting = [{"type": "http.request", "body": p, "more_body": True} for p in parts]
        waiting[-1]["more_body"] = False
        messages = iter(waiting)

        async def receive():
            return next(messages, {"type": "http.disconnect"})

        async def collect(message):
            sent.append(message)

        length = sum(map(len, parts)) if length is None else length
        headers = [(b"content-type", kind.encode()), (b"content-length", str(length).encode())]
        headers += [(b"accept-encoding", b"br")]
        scope = {"type": "http", "method": method, "path": path, "headers": headers}
        scope |= {"query_string": b"", "client": ("1.2.3.4", 5)}
        asyncio.run(self.bounds(scope, receive, collect))
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], dict(sent[0]["headers"]), body.decode()

    def post(self, value, path="call/find"):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.request("POST", f"{API}/{path}", [body])

    def upload(self, *fields, length=None):
        parts = [
            f"--mark\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
            for head, data in fields
        ]
        return self.request("POST", f"{API}/upload", [*parts, b"--mark--\r\n"], KIND, length)


@pytest.fixture
def page(tmp_path):
    return Page(tmp_path)


def field(data, name="photo.jpg", key="files"):
    return f'name="{key}"; filename="{name}"', data


@pytest.fixture
def stored(page):
    status, _, body = page.upload(field(b"x" * 1000))
    assert status == 200
    (name,) = json.loads(body)
    return name


def test_upload_is_stored_under_a_public_name(page, stored, tmp_path):
    assert page.uploads.path(stored).read_bytes() == b"x" * 1000
    assert str(tmp_path) not in stored
    assert page.body is None


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], 400),
        ([field(b"x", key="other")], 400),
        ([('name="files"', b"a text")], 400),
        ([field(b"x"), field(b"y")], 400),
        ([field(b"x" * (FILE_BYTES + 1))], 413),
        ([field(b"x" * FILE_BYTES)], 200),
        ([field(b"x" * (2 * FILE_BYTES))], 413),
        ([('name="files"', b"x" * 50_000)], 400),  # would be kept in memory
        ([('filename="a"', b"x")], 400),
    ],
)
def test_forms_of_uploads(page, fields, status):
    assert page.upload(*fields)[0] == status


@pytest.mark.parametrize("length", [10**9, -1, "x", "9" * 4000, "1e3", "0x5"])
def test_announced_length_of_an_upload(page, length):
    assert page.upload(field(b"x"), length=length)[0] == 413


def test_upload_without_a_form(page):
    assert page.request("POST", f"{API}/upload", [b"x"], "image/jpeg")[0] == 415
    assert page.request("POST", f"{API}/upload", [b"x"], "multipart/form-data")[0] == 400


def test_body_longer_than_announced_is_refused(page):
    parts = [b" " * 2**16] * 10
    assert page.request("POST", f"{API}/call/find", parts, length=5)[0] == 413
    assert page.request("POST", f"{API}/upload", parts, KIND, length=5)[0] in (400, 413)
    assert page.body is None


def test_visitor_who_leaves_during_a_body(page):
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def collect(message):
        sent.append(message)

    for kind, path in ((b"application/json", "call/find"), (KIND.encode(), "upload")):
        scope = {"type": "http", "method": "POST", "path": f"{API}/{path}", "client": None}
        scope |= {"headers": [(b"content-type", kind)], "query_string": b""}
        asyncio.run(page.bounds(scope, receive, collect))
    assert sent == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"5",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"data": [NaN]}',
        b'{"data": [1e999]}',
        b'{"data": [-Infinity]}',
        b'{"data": ' + b"9" * 5000 + b"}",
        b'{"data": ' + b"[" * 20 + b"]" * 20 + b"}",
        b'{"data": [], "session_hash": 5}',
        b'{"data": [], "session_hash": "a/b"}',
        b'{"data": [], "fn_index": -1}',
        b'{"data": [], "fn_index": "0"}',
        b'{"data": [], "fn_index": 1e300}',
        b'{"data": [], "event_id": ["x"]}',
    ],
)
def test_malformed_questions(page, body):
    assert page.post(body)[0] == 400
    assert page.post(body, "queue/join")[0] == 400
    assert page.body is None


def test_size_and_type_of_questions(page):
    assert page.post({"data": ["x" * 300_000]})[0] == 413
    assert page.request("POST", f"{API}/call/find", [b"{}"], "text/plain")[0] == 415
    assert page.body is None


def test_parts_that_gradio_would_trust_are_left_out(page):
    page.post({"data": [1], "request": {"client": "x"}, "event_data": {}, "simple_format": True})
    assert json.loads(page.body) == {"data": [1]}
    page.post({"data": [1], "session_hash": "a", "fn_index": 3, "trigger_id": 5}, "queue/join")
    assert json.loads(page.body) == {
        "data": [1],
        "session_hash": "a",
        "fn_index": 3,
        "trigger_id": 5,
    }


def test_public_name_in_a_question_becomes_a_path(page, stored):
    image = {"path": stored, "url": "http://evil.example/x", "is_stream": True, "mime_type": "x"}
    page.post({"data": [image, "words"]})
    (given, words) = json.loads(page.body)["data"]
    assert given["path"] == str(page.uploads.path(stored))
    assert set(given) == {"path", "orig_name", "size", "meta"}
    assert words == "words"


@pytest.mark.parametrize(
    "image",
    [
        {"path": "/etc/passwd"},
        {"path": "http://evil.example/x.png"},
        {"path": "/files/../x"},
        {"path": None, "url": "http://evil.example/x.png"},
        {"url": "http://evil.example/x.png"},
        {"path": ["/etc/passwd"]},
        {"image": {"path": "/etc/passwd"}},
        [[{"path": "/etc/passwd"}]],
    ],
)
def test_other_files_and_addresses_are_refused(page, stored, image):
    status, _, text = page.post({"data": [image]})
    assert status == 400
    assert "upload it again" in text
    assert page.body is None


def test_paths_of_the_server_are_refused_even_if_they_are_right(page, stored):
    assert page.post({"data": [{"path": str(page.uploads.path(stored))}]})[0] == 400
    assert page.request("GET", f"{API}/file={page.uploads.path(stored)}")[0] == 404


def test_file_route(page, stored):
    assert page.request("GET", f"{API}/file={stored}")[0] == 200
    assert page.scope["path"] == f"{API}/file={page.uploads.path(stored)}"
    for name in ("/etc/passwd", "http://evil.example/x", "/files/../x", "/files/x", ""):
        assert page.request("GET", f"{API}/file={name}")[0] == 404


@pytest.mark.parametrize("kind", [b"application/json", b"text/html; charset=utf-8"])
def test_answers_show_public_names(page, kind, tmp_path):
    page.answer = (kind, [f'{{"path": "{tmp_path}/a/b.png"}}'.encode()])
    _, headers, body = page.request("GET", "/config")
    assert body == '{"path": "/files/a/b.png"}'
    assert headers[b"content-length"] == str(len(body)).encode()
    assert (b"accept-encoding", b"br") not in page.scope["headers"]


def test_events_show_public_names(page, tmp_path):
    parts = [f"data: {tmp_path}/{number}\n\n".encode() for number in range(3)]
    page.answer = (b"text/event-stream", parts)
    _, headers, body = page.request("GET", f"{API}/queue/data")
    assert body == "data: /files/0\n\ndata: /files/1\n\ndata: /files/2\n\n"
    assert b"content-length" not in headers


def test_images_are_not_changed(page, tmp_path):
    page.answer = (b"image/png", [str(tmp_path).encode()])
    assert page.request("GET", f"{API}/info")[2] == str(tmp_path)


def test_folder_with_special_letters_is_hidden_in_each_spelling(tmp_path):
    folder = tmp_path / 'größe "1"'
    folder.mkdir()
    page = Page(folder)
    spellings = [json.dumps(str(folder)), json.dumps(str(folder), ensure_ascii=False)]
    page.answer = (b"application/json", [", ".join(spellings).encode()])
    assert page.request("GET", "/config")[2] == '"/files", "/files"'
