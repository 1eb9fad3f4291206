"""Bound the number and the age of the connections of the page."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

Peer = tuple[str, int]
_SWEEP_SECONDS = 0.5
_RETRIES, _RETRY_SECONDS = 12, 0.25


class Stage(IntEnum):
    """Stages of a connection; under load, the first ones are closed first."""

    WAITING = 0  # no complete request has arrived
    RECEIVING = 1  # the body of a request arrives
    STREAMING = 2  # the visitor waits for events
    ANSWERING = 3


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """Limits of the connections of a page.

    Attributes:
        connections: Largest number of connections.
        bodies: Largest number of requests whose bodies arrive at the same time.
        seconds: Longest time in each stage.
        grace: Seconds in each stage before a connection may be closed in favor of a new one.
        bytes_per_second: Smallest rate of a body, measured after `slow_seconds`.
        slow_seconds: Seconds after which a slow body is given up.
    """

    connections: int = 200
    bodies: int = 96
    seconds: tuple[float, float, float, float] = (10, 120, 600, 120)
    grace: tuple[float, float, float, float] = (0, 2, 0, 10)
    bytes_per_second: int = 8192
    slow_seconds: float = 5


class BusyError(Exception):
    """The page serves as many requests as it can."""


@dataclass
class _Connection:
    """Connection and what it currently does."""

    transport: Any
    address: str
    stage: Stage
    since: float
    received: int = 0


class Connections:
    """Table of the open connections; closes those that exceed a limit.

    Args:
        limits: Limits. If `None`, the defaults are used.
        clock: Function that returns the time in seconds.
    """

    def __init__(
        self,
        *,
        limits: ConnectionLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or ConnectionLimits()
        self._clock = clock
        self._open: dict[Peer, _Connection] = {}

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, transport: Any) -> None:
        """Add a connection. If there are too many, close another one, or else this one."""
        peer = _peer(transport)
        if len(self._open) >= self.limits.connections and not self._give_up(list(Stage)):
            transport.abort()
            return
        self._open[peer] = _Connection(transport, peer[0], Stage.WAITING, self._clock())

    def closed(self, transport: Any) -> None:
        """Remove a connection."""
        connection = self._open.get(_peer(transport))
        if connection is not None and connection.transport is transport:
            del self._open[_peer(transport)]

    def abort(self, peer: Peer | None) -> None:
        """Close the connection of a peer at once, without waiting for unsent data."""
        connection = self._open.pop(peer, None) if peer else None
        if connection is not None:
            connection.transport.abort()

    async def enter_receiving(self, peer: Peer | None) -> None:
        """Enter the stage of receiving a body; wait for a moment if too many others do.

        Raises:
            BusyError: Too many bodies arrive at the same time.
        """
        for _ in range(_RETRIES):
            bodies = sum(other.stage is Stage.RECEIVING for other in self._open.values())
            if bodies < self.limits.bodies or self._give_up([Stage.RECEIVING]):
                self.enter(peer, Stage.RECEIVING)
                return
            await asyncio.sleep(_RETRY_SECONDS)
        raise BusyError

    def enter(self, peer: Peer | None, stage: Stage) -> None:
        """Change the stage of a connection."""
        connection = self._open.get(peer) if peer else None
        if connection is not None:
            connection.stage, connection.since, connection.received = stage, self._clock(), 0

    def received(self, peer: Peer | None, count: int) -> None:
        """Count the bytes of a body."""
        connection = self._open.get(peer) if peer else None
        if connection is not None:
            connection.received += count

    @contextmanager
    def request(self, peer: Peer | None) -> Iterator[None]:
        """Wait for the next request of a connection when this one has been answered."""
        try:
            yield
        finally:
            self.enter(peer, Stage.WAITING)

    def sweep(self) -> None:
        """Close the connections that have exceeded the time of their stage."""
        now = self._clock()
        for peer, connection in list(self._open.items()):
            if self._is_overdue(connection, now - connection.since):
                self.abort(peer)

    async def keep_sweeping(self) -> None:
        """Sweep until canceled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep()

    def _is_overdue(self, connection: _Connection, age: float) -> bool:
        if age > self.limits.seconds[connection.stage]:
            return True
        if connection.stage is not Stage.RECEIVING or age < self.limits.slow_seconds:
            return False
        return connection.received < age * self.limits.bytes_per_second

    def _give_up(self, stages: list[Stage]) -> bool:
        """Close one connection in favor of a new one; return whether there was one to close.

        It is one of the first stage, of the address with the most connections, and the oldest.
        """
        now = self._clock()
        counts = Counter(connection.address for connection in self._open.values())
        candidates = [
            (connection.stage, -counts[connection.address], connection.since, peer)
            for peer, connection in self._open.items()
            if connection.stage in stages
            and now - connection.since >= self.limits.grace[connection.stage]
        ]
        if not candidates:
            return False
        self.abort(min(candidates)[-1])
        return True


def bounded_protocol(protocol: type[Any], connections: Connections) -> type[asyncio.Protocol]:
    """Return a subclass of a protocol of uvicorn that enters its connections into a table.

    uvicorn bounds the time between two requests, but not that of receiving one.
    """

    class BoundedProtocol(protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            connections.opened(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.closed(self.transport)
            super().connection_lost(exc)

    return BoundedProtocol


def _peer(transport: Any) -> Peer:
    name = transport.get_extra_info("peername")
    return (str(name[0]), int(name[1])) if name else ("", 0)
