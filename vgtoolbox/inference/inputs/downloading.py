"""Download image files within limits of time, size and redirections."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

MAX_DOWNLOAD_BYTES = 64 * 2**20
DOWNLOAD_SECONDS = 60.0
_IDLE_SECONDS = 20.0
_MAX_REDIRECTS = 5
_CHUNK = 2**16


def is_url(image: object) -> bool:
    """Return whether an image is given by an http(s) URL."""
    return isinstance(image, str) and image.lower().startswith(("http://", "https://"))


def download(
    url: str, *, max_bytes: int = MAX_DOWNLOAD_BYTES, seconds: float = DOWNLOAD_SECONDS
) -> bytes:
    """Download an image file and return its content.

    Redirections are followed five times, to http(s) URLs only.

    Args:
        url: http(s) URL.
        max_bytes: Maximum size of the file in bytes.
        seconds: Maximum time of the whole download, however steadily the server sends.

    Raises:
        ValueError: The URL is not http(s), the download fails or takes too long, or the file is
            larger than `max_bytes`.
    """
    if not is_url(url):
        raise ValueError(f"the address of an image must begin with http:// or https://, got {url}")
    task = _Download(url, max_bytes)
    thread = threading.Thread(target=task.run, daemon=True, name="download")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        task.stop()
        raise ValueError(
            f"the image {url} could not be downloaded: it took more than {seconds:g} s; download "
            "it first"
        )
    if task.error is not None:
        raise ValueError(f"the image {url} could not be downloaded: {task.error}") from task.error
    if len(task.data) > max_bytes:
        raise ValueError(
            f"the image {url} must have at most {max_bytes / 2**20:.0f} MiB, got more; download it "
            "and reduce it first"
        )
    return bytes(task.data)


class _Download:
    """A download in a thread of its own, which can be stopped while it waits for the server.

    Attributes:
        data: Content received so far, at most a chunk more than `max_bytes`.
        error: Error that ended the download; `None` for success.
    """

    def __init__(self, url: str, max_bytes: int) -> None:
        self.data = bytearray()
        self.error: Exception | None = None
        self._url = url
        self._max_bytes = max_bytes
        self._is_stopped = False
        self._sockets: list[socket.socket] = []

    def run(self) -> None:
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _HTTP(self),
            _HTTPS(self),
            urllib.request.HTTPDefaultErrorHandler(),
            _Redirects(),
            urllib.request.HTTPErrorProcessor(),
        ):
            opener.add_handler(handler)
        try:
            with opener.open(self._url, timeout=_IDLE_SECONDS) as response:
                while not self._is_stopped and len(self.data) <= self._max_bytes:
                    chunk = response.read1(_CHUNK)
                    if not chunk:
                        break
                    self.data += chunk
                missing = response.length
                if missing and len(self.data) <= self._max_bytes:
                    raise ValueError(f"the last {missing} bytes are missing")
        except Exception as error:  # of urllib, http.client, ssl, sockets and malformed URLs
            self.error = error

    def stop(self) -> None:
        """Close the connections, so that the thread ends."""
        self._is_stopped = True
        for opened in self._sockets:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)

    def connection(
        self, kind: type[http.client.HTTPConnection], host: str, **options: Any
    ) -> http.client.HTTPConnection:
        """Return a new connection whose socket `stop` can close.

        urllib removes the socket from the connection once the headers are read.
        """
        connection = kind(host, **options)
        connect = connection.connect

        def connect_and_keep() -> None:
            connect()
            self._sockets.append(connection.sock)

        connection.connect = connect_and_keep  # type: ignore[method-assign]
        return connection


class _HTTP(urllib.request.HTTPHandler):
    def __init__(self, task: _Download) -> None:
        super().__init__()
        self._task = task

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connect(host: str, **options: Any) -> http.client.HTTPConnection:
            return self._task.connection(http.client.HTTPConnection, host, **options)

        return self.do_open(connect, req)


class _HTTPS(urllib.request.HTTPSHandler):
    def __init__(self, task: _Download) -> None:
        super().__init__()
        self._task = task

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connect(host: str, **options: Any) -> http.client.HTTPConnection:
            return self._task.connection(http.client.HTTPSConnection, host, **options)

        return self.do_open(connect, req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirections to http(s) only; urllib would also follow those to FTP."""

    max_redirections = _MAX_REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not is_url(newurl):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not http(s)")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
