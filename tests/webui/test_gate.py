import asyncio
import base64

import pytest

from vgtoolbox.webui import Access, Credentials, gate
from vgtoolbox.webui.gate import API, Gate

CREDENTIALS = Credentials("ann", "größe:1")


def send(path="/config", method="GET", access=None, server="127.0.0.1", query=b"", **headers):
    """Send a request through a gate; return the status, the body and the headers of the answer."""
    messages = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(scope["headers"]).encode()})

    async def collect(message):
        messages.append(message)

    given = {"host": "127.0.0.1:7860", **{k.replace("_", "-"): v for k, v in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(k.encode(), v.encode()) for k, v in given.items() if v is not None],
        "server": (server, 7860),
        "client": ("127.0.0.1", 5),
    }
    asyncio.run(Gate(app, access=access or Access())(scope, None, collect))
    return messages[0]["status"], messages[1]["body"].decode(), dict(messages[0]["headers"])


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "127.0.0.1", "localhost:9000", "LOCALHOST."])
def test_own_host(host):
    assert send(host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        *["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example"],
        *["127.0.0.1@evil.example", "evil.example#localhost", "[::2]:7860", "", "10.0.0.1", None],
        *["localhost:7860:7860", "0.0.0.0", "0x7f.1", "localhost evil.example", "[", ":"],
    ],
)
def test_foreign_host(host):
    status, text, _ = send(host=host)
    assert status == 421
    assert "--allowed-host" in text


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:7860", 200),
        ("https://127.0.0.1:7860", 200),  # a proxy may add TLS
        ("http://127.0.0.1:7861", 403),
        ("http://localhost:7860", 403),
        ("http://evil.example", 403),
        ("http://127.0.0.1:7860.evil.example", 403),
        ("http://127.0.0.1:7860@evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_origin_must_be_the_page(origin, status):
    assert send(origin=origin)[0] == status
    assert send(f"{API}/queue/join", "POST", origin=origin)[0] == status


def test_default_ports_are_equal_to_none():
    access = Access(allowed_hosts=frozenset({"demo.example"}))
    assert send(access=access, host="demo.example", origin="https://demo.example:443")[0] == 200


@pytest.mark.parametrize(
    ("site", "mode", "path", "status"),
    [
        ("same-origin", "cors", "/config", 200),
        ("none", "navigate", "/config", 200),
        ("cross-site", "navigate", "/", 200),  # a link
        ("cross-site", "navigate", f"{API}/file=/files/x", 403),
        ("cross-site", "no-cors", "/", 403),
        ("same-site", "cors", "/config", 403),
    ],
)
def test_requests_that_another_website_causes(site, mode, path, status):
    assert send(path, sec_fetch_site=site, sec_fetch_mode=mode)[0] == status


def test_websocket_is_closed():
    messages = []

    async def collect(message):
        messages.append(message)

    asyncio.run(Gate(None, access=Access())({"type": "websocket", "headers": []}, None, collect))
    assert messages == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    "path",
    [
        *[
            "/proxy=http://evil.example",
            "/file",
            "/deep_link",
            "/vibe-edit",
            "/dev/reload",
            "/user",
        ],
        *["/run/find", "/api/find", "/stream/x", "/component_server", "/process_recording"],
        *["/heartbeat/x", "/upload_progress", "/run-history/buckets", "/call/find/x/y", "/runs"],
    ],
)
def test_unused_routes_of_gradio_are_not_found(path):
    for method in ("GET", "POST"):
        assert send(f"{API}{path}", method)[0] == 404


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/summary", "/login", "/docs", "//x"])
def test_other_routes_are_not_found(path):
    assert send(path)[0] == 404


def test_dots_in_a_route_are_not_found():
    assert send("/static/../../etc/passwd")[0] == 404
    assert send(f"{API}/file=/files/../../etc/passwd")[0] == 404
    assert send("/static/img/logo.svg")[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"])
def test_other_methods(method):
    assert send(method=method)[0] == 405


@pytest.mark.parametrize("name", ["x" * 65, "", "a/b", "%00", "../x"])
def test_names_of_sessions(name):
    assert send(f"{API}/queue/data", query=f"session_hash={name}".encode())[0] == 400
    assert send(f"{API}/queue/data", query=b"session_hash=abc_1-2")[0] == 200


def test_repeated_header_is_refused():
    async def collect(message):
        statuses.append(message.get("status"))

    statuses = []
    headers = [(b"host", b"127.0.0.1"), (b"host", b"evil.example")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "server": None}
    asyncio.run(Gate(None, access=Access())(scope, None, collect))
    assert statuses[0] == 400


def test_headers_of_proxies_do_not_reach_gradio():
    _, seen, _ = send(x_forwarded_host="evil.example", x_forwarded_proto="https")
    assert "evil" not in seen
    assert "x-forwarded-proto" in seen


def test_answers_have_security_headers():
    for host in ("127.0.0.1", "evil.example"):
        headers = send(host=host)[2]
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"x-frame-options"] == b"DENY"


def basic(text):
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_password(monkeypatch):
    monkeypatch.setattr(gate, "_WRONG_PASSWORD_SECONDS", 0.01)
    access = Access(credentials=CREDENTIALS)
    assert send(access=access, authorization=basic("ann:größe:1"))[0] == 200
    wrong = ["ann:", "ann:größe", "bob:größe:1", "", ":"]
    for given in (*map(basic, wrong), "Basic ?", "Basic", "Bearer x", "Basic /w==", None):
        for path in ("/", "/static/x", "/robots.txt", f"{API}/info", f"{API}/proxy=x"):
            status, _, headers = send(path, access=access, authorization=given)
            assert status == 401
            assert headers[b"www-authenticate"].startswith(b"Basic ")


def test_wrong_passwords_are_delayed_and_right_ones_are_not(monkeypatch):
    waited = []

    async def wait(seconds):
        waited.append(seconds)

    monkeypatch.setattr(gate.asyncio, "sleep", wait)
    access = Access(credentials=CREDENTIALS)
    send(access=access, authorization=basic("ann:größe:1"))
    send(access=access)
    assert waited == []
    send(access=access, authorization=basic("ann:guess"))
    assert waited == [1.0]
