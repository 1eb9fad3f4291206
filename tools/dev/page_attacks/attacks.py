"""Hostile requests by name, and connections that are held open."""

from __future__ import annotations

import io
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from types import TracebackType

from PIL import Image

from page_attacks.process import photo
from page_attacks.visitor import API, Visitor, form

Attack = Callable[[Visitor], str]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(side: int) -> bytes:
    """Return a small PNG file that claims `side` x `side` pixels and contains all of them."""
    row = zlib.compress(bytes(side + 1) * min(side, 2000), 9)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = [_chunk(b"IHDR", header), _chunk(b"IDAT", row), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _animation() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("P", (400, 400), number) for number in range(200)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


PHOTO, LARGE_PHOTO, BOMB, ANIMATION = photo(320, 240), photo(4000, 3000), bomb(60_000), _animation()
HOST = b"Host: 127.0.0.1\r\n"


def _with_image(data: bytes, name: str = "photo.jpg", words: str = "red circle") -> Attack:
    return lambda visitor: visitor.find(visitor.upload(data, name), words)


def _with(words: object = "red circle", **changes: object) -> Attack:
    return lambda visitor: visitor.find(visitor.upload(PHOTO), words, **changes)


def _browse(split: object, index: object) -> Attack:
    return lambda visitor: visitor.call("browse", [visitor.model, split, index])


def _get(path: str, **headers: str) -> Attack:
    return lambda visitor: visitor.request(
        "GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()}
    )


def _raw(data: bytes) -> Attack:
    return lambda visitor: visitor.raw(data)


def _file(**keys: object) -> Attack:
    meta = {"meta": {"_type": "gradio.FileData"}}
    return lambda visitor: visitor.find(
        None, "red circle", image={**_filled(keys, visitor), **meta}
    )


def _filled(keys: Mapping[str, object], visitor: Visitor) -> dict[str, object]:
    """Insert the port of the canary into the texts."""
    return {
        key: value.replace("CANARY", f"http://127.0.0.1:{visitor.canary}/x.png")
        if isinstance(value, str)
        else value
        for key, value in keys.items()
    }


def _canary_route(prefix: str) -> Attack:
    return lambda visitor: visitor.request(
        "GET", f"{API}/{prefix}http://127.0.0.1:{visitor.canary}/x.png"
    )


def _form(files: list[tuple[str, str, bytes]]) -> Attack:
    kind = {"Content-Type": "multipart/form-data; boundary=mark"}
    return lambda visitor: visitor.request("POST", f"{API}/upload", form("mark", files), kind)


_JSON = b"POST /gradio_api/call/find HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
_UPLOAD = (
    b"POST /gradio_api/upload HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: multipart/form-data; boundary=mark\r\n"
)
_WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}

ATTACKS: Mapping[str, Attack] = {
    # Images
    "text named .jpg": _with_image(b"just words"),
    "PostScript named .jpg": _with_image(b"%!PS-Adobe-3.0\n(/etc/passwd) run\n"),
    "SVG": _with_image(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "x.svg"),
    "PNG of 3.6 billion pixels": _with_image(BOMB, "bomb.png"),
    "PNG of 49 million pixels in 50 kB": _with_image(bomb(7000), "bomb.png"),
    "truncated photo": _with_image(LARGE_PHOTO[:100_000]),
    "animation": _with_image(ANIMATION, "x.gif"),
    "empty file": _with_image(b""),
    "large photo, 8 expressions": _with_image(LARGE_PHOTO, words="\n".join("abcdefgh")),
    "path-like name": _with_image(PHOTO, "../../../../etc/passwd"),
    "name of 5,000 characters": _with_image(PHOTO, "x" * 5000 + ".jpg"),
    # Questions
    "3,000 expressions": _with("red circle\n" * 3000),
    "200,000 characters": _with("x" * 200_000),
    "expression of dots": _with("...."),
    "expression is a number": _with(5),
    "expression is a prediction": _with({"boxes": [[9, 9, 1, 1]], "scores": [], "rle": "x"}),
    "threshold NaN": lambda visitor: visitor.post(
        f"{API}/call/find", '{"data": [null, "x", "m", NaN, []]}'
    ),
    "threshold 1e999": lambda visitor: visitor.post(
        f"{API}/call/find", '{"data": [null, "x", "m", 1e999, []]}'
    ),
    "threshold -5": _with(score_thr=-5),
    "threshold is a text": _with(score_thr="high"),
    "threshold is a list": _with(score_thr=[0.5]),
    "unknown model": _with(model="../../etc/passwd"),
    "unknown layer": _with(layers=["everything"]),
    "layers are a text": _with(layers="boxes"),
    "too few values": lambda visitor: visitor.call("find", [None]),
    "data is an object": lambda visitor: visitor.call("find", {"a": 1}),
    "sample -1": _browse("", -1),
    "sample 1e30": _browse("", 1e30),
    "sample is a text": _browse("", "first"),
    "split is a path": _browse("../../etc", 0),
    # Files and addresses
    "file /etc/passwd": _file(path="/etc/passwd"),
    "file outside by dots": _file(path="/files/../../../../../../etc/passwd"),
    "file is an address": _file(path="CANARY"),
    "file with another address": _file(path="/files/x", url="CANARY"),
    "route file=/etc/passwd": _get(f"{API}/file=/etc/passwd"),
    "route file= with dots": _get(f"{API}/file=/files/../../../../../etc/passwd"),
    "route file= with an address": _canary_route("file="),
    "route proxy=": _canary_route("proxy="),
    "route file/ (old)": _get(f"{API}/file//etc/passwd"),
    "static route with dots": _get("/static/..%2f..%2f..%2f..%2fetc/passwd"),
    "state of a component": _get(f"{API}/deep_link?session_hash=x"),
    "edit of code": lambda visitor: visitor.post(f"{API}/vibe-edit", {"prompt": "x"}),
    "call without the queue": lambda visitor: visitor.post(f"{API}/run/find", {"data": []}),
    "question without the queue": lambda visitor: visitor.post(
        f"{API}/run/predict", {"data": [None, "x", visitor.model, 0.5, []], "fn_index": 1}
    ),
    # Other websites
    "foreign Host": _get("/config", Host="evil.example"),
    "foreign Origin": _get("/config", Origin="http://evil.example"),
    "Origin null": _get("/config", Origin="null"),
    "cross-site request": _get("/config", Sec_Fetch_Site="cross-site"),
    "cross-site websocket": lambda visitor: visitor.request(
        "GET", f"{API}/queue/data", headers={**_WEBSOCKET, "Origin": "http://evil.example"}
    ),
    # Bodies and headers
    "JSON of 2 MB": lambda visitor: visitor.post(f"{API}/call/find", {"data": ["x" * 2_000_000]}),
    "JSON nested 100,000 times": lambda visitor: visitor.post(f"{API}/call/find", "[" * 100_000),
    "upload of 40 MB": lambda visitor: visitor.upload_reply(bytes(40_000_000)),
    "form of 900 files": _form([("files", f"{number}.jpg", b"x") for number in range(900)]),
    "form with a field of 5 MB": _raw(
        _UPLOAD
        + b"Connection: close\r\nContent-Length: 5000070\r\n\r\n--mark\r\n"
        + b'Content-Disposition: form-data; name="files"\r\n\r\n'
        + b"x" * 5_000_000
        + b"\r\n--mark--\r\n"
    ),
    "Content-Length too large": _raw(_UPLOAD + b"Content-Length: 9999999999\r\n\r\n--mark"),
    "Content-Length negative": _raw(_JSON + b"Content-Length: -1\r\n\r\n{}"),
    "two Content-Lengths": _raw(_JSON + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}"),
    "body shorter than announced": _raw(_JSON + b"Content-Length: 5000\r\n\r\n{}"),
    "endless chunks": _raw(
        _JSON + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + bytes(2**14) + b"\r\n") * 40
    ),
    "headers of 1 MB": _raw(b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 1_000_000),
    "not HTTP": _raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)),
    "session of 10,000 characters": _get(f"{API}/queue/data?session_hash={'x' * 10_000}"),
    "unknown session": _get(f"{API}/queue/data?session_hash=unknown"),
    "unknown event": _get(f"{API}/call/find/{'0' * 32}"),
    "cancel of an unknown question": lambda visitor: visitor.post(
        f"{API}/cancel", {"session_hash": "x", "fn_index": 0, "event_id": "y"}
    ),
}


_HELD = (
    b"",  # nothing is ever sent
    b"GET / HTTP/1.1\r\nHo",
    _JSON + b"Content-Length: 1000\r\n\r\n{",
    _UPLOAD + b"Content-Length: 1000000\r\n\r\n--mark\r\n",
    _UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n--mar\r\n",
    b"GET /theme.css HTTP/1.1\r\n" + HOST + b"\r\n",  # kept alive, never read
    b"GET /gradio_api/queue/data?session_hash=held HTTP/1.1\r\n" + HOST + b"\r\n",
)


class HeldConnection:
    """Connection that is left in one of several incomplete states.

    Args:
        port: Port of the page.
        number: Number of the state.
    """

    def __init__(self, port: int, number: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.sendall(_HELD[number % len(_HELD)])

    def is_open(self) -> bool:
        """Return whether the server has not closed the connection."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(2**16):
                pass
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class Canary:
    """Server that records who contacts it; a context manager."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Canary:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, address = self._socket.accept()
            except OSError:
                return
            self.requests.append(f"from port {address[1]}")
            connection.close()
