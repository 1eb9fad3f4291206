"""Bound what one request may send, and exchange public names for paths in both directions."""

from __future__ import annotations

import asyncio
import json
import math
import re
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qs, quote

from vgtoolbox.webui.asgi import (
    App,
    Message,
    Receive,
    RefusedError,
    Scope,
    Send,
    get_header,
    send_text,
)
from vgtoolbox.webui.connections import BusyError, Connections, Peer, Stage
from vgtoolbox.webui.gate import API
from vgtoolbox.webui.hiding import HidingSender, spellings
from vgtoolbox.webui.turns import Listeners
from vgtoolbox.webui.uploads import UploadFolder

_JSON_BYTES = 2**18
_FORM_BYTES = 2**16  # boundaries and headers of an upload in addition to its file
_SPOOL_BYTES = 2**16  # larger uploads are on the disk while they arrive
_DEPTH = 16
_TOKEN = re.compile(r"[\w-]{1,64}")
_CALL = f"{API}/call/"
_STREAMS = re.compile(rf"{API}/(?:queue/data|call/[^/]+/([^/]+))")
_ASSETS = ("/assets/", "/static/", "/svelte/")
# Keys of a question that gradio needs; it would also read others, such as a forged request.
_KEYS = ("data", "fn_index", "session_hash", "event_id", "trigger_id")


class DisconnectedError(Exception):
    """The visitor has closed the connection."""


class Bounds:
    """ASGI middleware that bounds the bodies of requests.

    JSON is read and checked before the application sees it, so that a slow or malformed body costs
    it nothing. Files are named by public names: those that the page has not stored are refused,
    and so are URLs, which gradio would download.

    Args:
        app: Application of gradio.
        uploads: Folder of the files.
        connections: Table of the connections.
        file_bytes: Largest size of an upload in bytes.
    """

    def __init__(
        self, app: App, *, uploads: UploadFolder, connections: Connections, file_bytes: int
    ) -> None:
        self._app = app
        self._uploads = uploads
        self._connections = connections
        self._file_bytes = file_bytes
        self._listeners = Listeners()
        self._roots = spellings(uploads.root)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer = scope.get("client")
        with self._connections.request(peer):
            try:
                await self._serve(scope, receive, send, peer)
            except RefusedError as refused:
                # Kept open for a moment: browsers show the reason only if they could send all.
                close = refused.status != 413
                await send_text(send, refused.status, refused.reason, refused.headers, close=close)
            except BusyError:
                retry = [(b"retry-after", b"3")]
                await send_text(send, 503, "the page is busy; try again in a moment", retry)
            except DisconnectedError:
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send, peer: Peer | None) -> None:
        path = scope["path"]
        if scope["method"] == "POST":
            await self._connections.enter_receiving(peer)
            counted = self._counted(receive, peer)
            if path == f"{API}/upload":
                names = await self._receive_file(scope, counted)
                self._connections.enter(peer, Stage.ANSWERING)
                await _send_json(send, names)
                return
            question = self._translate(_parse(await _read(scope, counted, _JSON_BYTES)))
            if path.startswith(_CALL):
                question.pop("session_hash", None)  # the event is the session
            body = json.dumps(question).encode()
            scope = _with_body_headers(scope, len(body))
            scope["state"] = {**scope.get("state", {}), "listeners": self._listeners}
            receive = _replay(body, receive)
        elif path.startswith(f"{API}/file="):
            scope = self._with_file(scope)
        stream = _STREAMS.fullmatch(path) if scope["method"] == "GET" else None
        self._connections.enter(peer, Stage.STREAMING if stream else Stage.ANSWERING)
        if not path.startswith(_ASSETS):
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            send = HidingSender(send, self._roots)
        with self._listeners.listen(stream[1] or _session(scope)) if stream else nullcontext():
            await self._app(scope, receive, send)

    def _counted(self, receive: Receive, peer: Peer | None) -> Receive:
        async def receive_counted() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            self._connections.received(peer, len(message.get("body", b"")))
            return message

        return receive_counted

    async def _receive_file(self, scope: Scope, receive: Receive) -> list[str]:
        """Store the file of an upload and return its public name in a list."""
        from starlette.datastructures import Headers
        from starlette.formparsers import MultiPartException, MultiPartParser

        limit = self._file_bytes + _FORM_BYTES
        _check_length(scope, limit)
        if not (get_header(scope, b"content-type") or "").startswith("multipart/form-data"):
            raise RefusedError(415, "an upload must be of the type multipart/form-data")
        parser = MultiPartParser(
            Headers(raw=list(scope["headers"])),
            _chunks(receive, limit),
            max_files=1,
            max_fields=4,
            max_part_size=1024,
        )
        parser.spool_max_size = _SPOOL_BYTES
        try:
            form = await parser.parse()
        except (MultiPartException, KeyError, ValueError) as error:
            raise RefusedError(400, "an upload must be a form with one file") from error
        try:
            file = form.get("files")
            if file is None or isinstance(file, str):
                raise RefusedError(400, "an upload must be a form with one file, named files")
            if (file.size or 0) > self._file_bytes:
                raise _too_large(self._file_bytes)
            address = str((scope.get("client") or ("",))[0])
            name = file.filename or ""
            stored = await asyncio.to_thread(self._uploads.store, file.file, name, address)
        finally:
            await form.close()
        return [stored]

    def _translate(self, body: object) -> dict[str, Any]:
        """Return the parts of a question that gradio needs, with paths for public names."""
        if not isinstance(body, dict):
            raise RefusedError(400, "the body must be a JSON object")
        kept = {key: body[key] for key in _KEYS if body.get(key) is not None}
        for key in ("session_hash", "event_id"):
            if key in kept and not (isinstance(kept[key], str) and _TOKEN.fullmatch(kept[key])):
                raise RefusedError(400, f"{key} must have 1 to 64 letters and digits")
        for key in ("fn_index", "trigger_id"):
            if key in kept and not (isinstance(kept[key], int) and 0 <= kept[key] < 2**31):
                raise RefusedError(400, f"{key} must be a small number")
        if "data" in kept:
            kept["data"] = self._translate_value(kept["data"], _DEPTH)
        return kept

    def _translate_value(self, value: Any, depth: int) -> Any:
        if depth == 0:
            raise RefusedError(400, f"the data must be nested at most {_DEPTH} times")
        if isinstance(value, list):
            return [self._translate_value(entry, depth - 1) for entry in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise RefusedError(400, "numbers must be finite")
        if not isinstance(value, dict):
            return value
        if "path" not in value and "url" not in value:
            return {key: self._translate_value(entry, depth - 1) for key, entry in value.items()}
        path = self._uploads.path(value.get("path"))
        if path is None:
            raise RefusedError(
                400, "the image is not, or no longer, on the server; upload it again"
            )
        return {
            "path": str(path),
            "orig_name": path.name,
            "size": path.stat().st_size,
            "meta": {"_type": "gradio.FileData"},
        }

    def _with_file(self, scope: Scope) -> Scope:
        """Replace the public name in a route by the path."""
        path = self._uploads.path(scope["path"].removeprefix(f"{API}/file="))
        if path is None:
            raise RefusedError(404, "not found")
        route = f"{API}/file={path}"
        return {**scope, "path": route, "raw_path": quote(route).encode()}


def _too_large(limit: int) -> RefusedError:
    return RefusedError(413, f"the request must have at most {limit:,} bytes")


def _check_length(scope: Scope, limit: int) -> None:
    length = get_header(scope, b"content-length") or "0"
    if not length.isdigit() or int(length[:20]) > limit:
        raise _too_large(limit)


async def _chunks(receive: Receive, limit: int) -> Any:
    """Yield the parts of a body, at most `limit` bytes."""
    size, more = 0, True
    while more:
        message = await receive()
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk
    yield b""


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes:
    _check_length(scope, limit)
    kind = (get_header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(415, "the body must be of the type application/json")
    return b"".join([chunk async for chunk in _chunks(receive, limit)])


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "the body must be JSON") from error


def _session(scope: Scope) -> str:
    (session,) = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[:1]
    return session


def _with_body_headers(scope: Scope, length: int) -> Scope:
    kept = [
        pair
        for pair in scope["headers"]
        if pair[0] not in (b"content-length", b"transfer-encoding", b"content-type")
    ]
    own = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    return {**scope, "headers": [*kept, *own]}


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that has been read, and then waits for the end."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _send_json(send: Send, value: object) -> None:
    body = json.dumps(value).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
