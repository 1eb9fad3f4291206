"""A visitor of the page, who asks honest questions or sends arbitrary bytes."""

from __future__ import annotations

import json
import re
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

SECONDS = 120
API = "/gradio_api"


@dataclass(frozen=True)
class Outcome:
    """Outcome of a request.

    Attributes:
        kind: Status and, if there is one, the kind of the last event; `closed` if the server closed
            the connection, and `no answer` if it did nothing in time.
        text: Whole answer.
        seconds: Time until then.
    """

    kind: str
    text: str
    seconds: float


class Visitor:
    """Visitor of a page on this machine.

    Args:
        port: Port of the page.
        model: Name of the model.
        canary: Port of a server that the page must not contact.
    """

    def __init__(self, port: int, model: str, canary: int) -> None:
        self.port = port
        self.model = model
        self.canary = canary

    def ask(self, image: bytes, words: str) -> Outcome:
        """Ask an honest question.

        Raises:
            RuntimeError: It was not answered.
        """
        outcome = self.attack(lambda visitor: visitor.find(visitor.upload(image), words))
        if outcome.kind != "200 complete":
            raise RuntimeError(f"an honest question was not answered: {outcome}")
        return outcome

    def attack(self, send: Callable[[Visitor], str]) -> Outcome:
        """Call a function that sends a request, and return what became of it."""
        started = time.monotonic()
        try:
            text = send(self)
            events = re.findall(r"^event: (\w+)", text, re.MULTILINE)
            status = text.partition(" ")[0] or "closed"
            kind = f"{status} {events[-1]}" if events else status
        except TimeoutError:
            kind, text = "no answer", ""
        except (OSError, HTTPException):
            kind, text = "closed", ""
        return Outcome(kind, text, time.monotonic() - started)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        """Send a request and return status, headers and body of the answer as one text."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            text = reply.read().decode("utf-8", "replace")
            return f"{reply.status} {reply.headers}{text}"
        finally:
            connection.close()

    def post(self, path: str, value: Any) -> str:
        """Send JSON; a text is sent as it is."""
        body = value if isinstance(value, str) else json.dumps(value)
        return self.request("POST", path, body.encode(), {"Content-Type": "application/json"})

    def raw(self, data: bytes) -> str:
        """Send bytes and return everything that the server sends until it closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(2**16):
                parts.append(part)
            return b"".join(parts).decode("utf-8", "replace").removeprefix("HTTP/1.1 ")

    def upload_reply(self, data: bytes, name: str = "photo.jpg") -> str:
        """Upload a file and return the whole answer."""
        mark = secrets.token_hex(16)
        body = form(mark, [("files", name, data)])
        kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        return self.request("POST", f"{API}/upload", body, kind)

    def upload(self, data: bytes, name: str = "photo.jpg") -> str:
        """Upload a file and return its public name; the answer itself if it was refused."""
        reply = self.upload_reply(data, name)
        found = re.search(r'\["(.*)"\]', reply)
        return found[1] if found else reply

    def find(self, file: Any, words: Any, **changes: Any) -> str:
        """Ask a question; `changes` replace the parts of the request."""
        given = {"model": self.model, "score_thr": 0.5, "layers": ["boxes"], **changes}
        image = {"path": file, "meta": {"_type": "gradio.FileData"}} if file is not None else None
        image = given.pop("image", image)
        return self.call("find", [image, words, *given.values()])

    def call(self, name: str, data: Any) -> str:
        """Call an endpoint and return the events of its answer, or the refusal."""
        reply = self.post(f"{API}/call/{name}", {"data": data})
        found = re.search(r'"event_id": ?"(\w+)"', reply)
        return self.request("GET", f"{API}/call/{name}/{found[1]}") if found else reply


def form(mark: str, files: list[tuple[str, str, bytes]]) -> bytes:
    """Return the body of a form with files."""
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{key}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + data
        + b"\r\n"
        for key, name, data in files
    ]
    return b"".join(parts) + f"--{mark}--\r\n".encode()
