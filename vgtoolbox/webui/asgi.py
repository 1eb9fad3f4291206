"""Small helpers for the middleware of the page: types, headers and plain responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class RefusedError(Exception):
    """A request that is refused.

    Args:
        status: HTTP status.
        reason: Text for the visitor.
        headers: Additional headers of the response.
    """

    def __init__(self, status: int, reason: str, headers: Headers = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)


def get_header(scope: Scope, name: bytes) -> str | None:
    """Return a header of a request, or `None` if there is none.

    Raises:
        RefusedError: The header occurs more than once.
    """
    values = [value for key, value in scope["headers"] if key == name]
    if len(values) > 1:
        raise RefusedError(400, f"the header {name.decode()} must occur once, got {len(values)}")
    return values[0].decode("latin-1") if values else None


async def send_text(
    send: Send, status: int, text: str, headers: Headers = (), *, close: bool = True
) -> None:
    """Send a response of plain text.

    Args:
        send: ASGI function.
        status: HTTP status.
        text: Body of the response.
        headers: Additional headers.
        close: Whether the connection is closed afterwards.
    """
    body = f"{text}\n".encode()
    own = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *SECURITY_HEADERS,
        *headers,
        *([(b"connection", b"close")] if close else []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})
