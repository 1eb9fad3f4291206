"""Refuse requests of other websites, without a password, or to routes that are not needed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from urllib.parse import urlsplit

from vgtoolbox.webui.access import Access
from vgtoolbox.webui.asgi import (
    SECURITY_HEADERS,
    App,
    Message,
    Receive,
    RefusedError,
    Scope,
    Send,
    get_header,
    send_text,
)

API = "/gradio_api"
_TOKEN = r"[\w-]{1,64}"
# Routes that the page and gradio's Python client use. gradio has many more: a proxy, editing of
# code, monitoring, downloads of URLs and states of components. Through `run/predict`, the page
# fills in an example; gradio refuses it for questions, which must wait in the queue.
_GET = re.compile(
    rf"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json"
    rf"|/(assets|static|svelte)/[^\\]*"
    rf"|{API}/(info/?|app_id/?|startup-events|theme\.css|queue/data|queue/status)"
    rf"|{API}/call/{_TOKEN}/{_TOKEN}|{API}/file=[^\\]*"
)
_POST = re.compile(
    rf"{API}/(upload|queue/join|run/predict|cancel|reset/?)|{API}/call/{_TOKEN}/?",
)
# Delay after a wrong password. Right ones are never delayed or locked out, so that guessing from an
# address that others share, such as that of a proxy, does not lock them out.
_WRONG_PASSWORD_SECONDS = 1.0
# A proxy sets them for the browser; a browser itself never does, and gradio would trust them.
_FORWARDED = (b"x-forwarded-host", b"x-forwarded-server", b"forwarded")


class Gate:
    """ASGI middleware that lets only the page's own requests through.

    Args:
        app: Application behind the gate.
        access: Hosts and credentials.
    """

    def __init__(self, app: App, *, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page uses no websockets
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self._check_host(scope)
            _check_origin(scope)
            await self._check_credentials(scope)
            _check_route(scope)
        except RefusedError as refused:
            await send_text(send, refused.status, refused.reason, refused.headers)
            return
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _FORWARDED]
        await self._app(scope, receive, _with_security_headers(send))

    def _check_host(self, scope: Scope) -> None:
        host = get_header(scope, b"host")
        name = _split_host(host)[0] if host else ""
        server = scope.get("server") or ("", None)
        if not name or not self._access.allows_host(name, str(server[0])):
            raise RefusedError(
                421,
                "the page is not served under this host name; its administrator can allow it "
                "with --allowed-host",
            )

    async def _check_credentials(self, scope: Scope) -> None:
        expected = self._access.credentials
        if expected is None:
            return
        given = _parse_basic(get_header(scope, b"authorization"))
        if given is not None and expected.match(*given):
            return
        if given is not None:
            await asyncio.sleep(_WRONG_PASSWORD_SECONDS)
        challenge = (b"www-authenticate", b'Basic realm="vgtoolbox", charset="UTF-8"')
        raise RefusedError(401, "user name and password are required", [challenge])


def _check_origin(scope: Scope) -> None:
    """Refuse requests that another website makes a browser send."""
    origin = get_header(scope, b"origin")
    if origin is not None and _split_origin(origin) != _split_host(get_header(scope, b"host")):
        raise RefusedError(403, "requests of other websites are refused")
    site = get_header(scope, b"sec-fetch-site")
    is_link = (
        get_header(scope, b"sec-fetch-mode") == "navigate"
        and scope["method"] == "GET"
        and scope["path"] == "/"
    )
    if site not in (None, "same-origin", "none") and not is_link:
        raise RefusedError(403, "requests of other websites are refused")


def _check_route(scope: Scope) -> None:
    method, path = scope["method"], scope["path"]
    pattern = {"GET": _GET, "HEAD": _GET, "POST": _POST}.get(method)
    if pattern is None:
        raise RefusedError(405, "the method must be GET, HEAD or POST")
    if not pattern.fullmatch(path) or ".." in path.split("/"):
        raise RefusedError(404, "not found")
    for name in re.findall(rb"(?:session_hash|event_id)=([^&]*)", scope["query_string"]):
        if not re.fullmatch(_TOKEN.encode(), name):
            raise RefusedError(400, "session_hash must have 1 to 64 letters and digits")


def _parse_basic(header: str | None) -> tuple[str, str] | None:
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return "", ""
    user, _, password = text.partition(":")
    return user, password


def _split_host(host: str | None) -> tuple[str, str]:
    """Split a host header into name and port; the default ports become empty."""
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^:/@\s]+?)\.?(?::(\d{0,5}))?", (host or "").lower())
    if match is None:
        return "", ""
    port = match[2] or ""
    return match[1].strip("[]"), "" if port in ("80", "443") else port


def _split_origin(origin: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None  # also the origin "null" of sandboxed pages and files
    return _split_host(parts.netloc)


def _with_security_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *SECURITY_HEADERS]
        await send(message)

    return send_with_headers
