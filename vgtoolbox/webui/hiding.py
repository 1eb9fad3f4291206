"""Replace paths of the server by public names in responses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from vgtoolbox.webui.asgi import Message, Send
from vgtoolbox.webui.uploads import PUBLIC_FOLDER

_TEXTS = (b"application/json", b"text/html", b"text/plain", b"text/event-stream")


class HidingSender:
    """ASGI `send` that replaces the folder of the server by the public one in texts.

    Each part of a body is searched alone, since gradio sends a response or an event in one part.

    Args:
        send: ASGI function.
        roots: Spellings of the folder.
    """

    def __init__(self, send: Send, roots: Sequence[bytes]) -> None:
        self._send = send
        self._roots = roots
        self._start: Message | None = None
        self._is_text = False

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        if message["type"] == "http.response.start":
            kinds = [value for key, value in message["headers"] if key.lower() == b"content-type"]
            self._is_text = any(kind.startswith(_TEXTS) for kind in kinds)
            if self._is_text:
                self._start = message  # its content-length depends on the body
                return
        elif message["type"] == "http.response.body" and self._is_text:
            message = {**message, "body": self._hide(message.get("body", b""))}
            await self._send_start(message)
        await self._send(message)

    def _hide(self, body: bytes) -> bytes:
        for root in self._roots:
            body = body.replace(root, PUBLIC_FOLDER.encode())
        return body

    async def _send_start(self, first: Message) -> None:
        start, self._start = self._start, None
        if start is None:
            return
        headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
        if not first.get("more_body"):
            headers.append((b"content-length", str(len(first["body"])).encode()))
        await self._send({**start, "headers": headers})


def spellings(root: Path) -> Sequence[bytes]:
    """Return how a path may be written in JSON, in HTML and in an address."""
    text = str(root)
    quoted = [json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
    found = [text, *quoted, quote(text), root.as_posix()]
    return tuple(dict.fromkeys(spelling.encode() for spelling in found))
