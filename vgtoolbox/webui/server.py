"""Serve the page with uvicorn behind the limits of this package."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

import fastapi
import gradio
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from vgtoolbox.webui.access import Access, AccessError
from vgtoolbox.webui.bounds import Bounds
from vgtoolbox.webui.connections import ConnectionLimits, Connections, bounded_protocol
from vgtoolbox.webui.environment import gradio_environment
from vgtoolbox.webui.gate import Gate
from vgtoolbox.webui.uploads import UploadFolder

_FIRST_PORT, _PORTS = 7860, 100
_BACKLOG = 512
_CONNECTIONS = 200
# gradio keeps about 50 KB for each session; the page stores nothing in sessions.
_SESSIONS = 200
_START_SECONDS = 60
_CLOSE_SECONDS = 5
_SWEEP_SECONDS = 5


class PageServer:
    """Server of one page.

    Args:
        page: Page from `build_page`.
        uploads: Folder of the files of the page, in which it was built.
        access: Address, credentials and host names.
        port: Port of the server. If `None`, the first free one from 7860 is used.
        file_bytes: Largest size of an upload in bytes.
        theme: Theme of gradio.

    Raises:
        AccessError: The port is in use.
    """

    def __init__(
        self,
        *,
        page: gradio.Blocks,
        uploads: UploadFolder,
        access: Access,
        port: int | None,
        file_bytes: int,
        theme: Any,
    ) -> None:
        self._uploads = uploads
        self._connections = Connections(limits=ConnectionLimits(connections=_connection_limit()))
        self._socket = _bind(access.host, port)
        self._thread: threading.Thread | None = None
        self._stack = ExitStack()
        self._stack.enter_context(gradio_environment(uploads.root))
        page.state_session_capacity = _SESSIONS
        inner = fastapi.FastAPI(
            openapi_url=None, docs_url=None, redoc_url=None, lifespan=self._lifespan
        )
        gradio.mount_gradio_app(
            inner,
            page,
            path="/",
            show_error=False,
            max_file_size=file_bytes,
            theme=theme,
            footer_links=[],
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
        )
        # gradio checks paths and ends its streams only for a page that it counts as launched.
        page.is_running = page.has_launched = True
        page.server = self  # type: ignore[assignment]  # closed by `page.close()`
        bounds = Bounds(
            inner, uploads=uploads, connections=self._connections, file_bytes=file_bytes
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                Gate(bounds, access=access),
                http=bounded_protocol(H11Protocol, self._connections),
                ws="none",
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=3,
            )
        )

    @property
    def address(self) -> str:
        """Address of the page on this machine."""
        host, port = self._socket.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def run(self) -> None:
        """Serve until a signal or `close` ends the server."""
        with self._stack:
            self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serve in a thread; return when the page can be reached.

        Raises:
            RuntimeError: The server did not start.
        """
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the server of the page did not start")
            time.sleep(0.01)

    def close(self) -> None:
        """End the server."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=_CLOSE_SECONDS)

    @asynccontextmanager
    async def _lifespan(self, app: Any) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._connections.keep_sweeping()),
            asyncio.create_task(self._keep_sweeping_files()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)

    async def _keep_sweeping_files(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            await asyncio.to_thread(self._uploads.sweep)


def _connection_limit() -> int:
    """Return how many connections fit into the limit of open files; each may need two more."""
    if resource is None:
        return _CONNECTIONS
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = allowed in (resource.RLIM_INFINITY, -1)
    return _CONNECTIONS if unlimited else max(8, min(_CONNECTIONS, allowed // 4))


def _bind(host: str, port: int | None) -> socket.socket:
    """Return a listening socket.

    Raises:
        AccessError: The port is in use, or may not be used.
    """
    ports = range(_FIRST_PORT, _FIRST_PORT + _PORTS) if port is None else [port]
    found = socket.getaddrinfo(
        host.strip("[]") or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    # IPv4 first, since `localhost` and "all interfaces" mean it to most programs.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    problem: OSError | None = None
    for number in ports:
        try:
            listener = socket.create_server(
                (str(address[0]), number), family=family, backlog=_BACKLOG
            )
        except OSError as error:
            problem = error
            continue
        listener.setblocking(False)
        return listener
    tried = f"port {ports[0]}" if len(ports) == 1 else f"each of the ports {ports[0]}-{ports[-1]}"
    raise AccessError(
        f"{tried} of {host} must be free, got: {problem}; choose another one with --port"
    )
