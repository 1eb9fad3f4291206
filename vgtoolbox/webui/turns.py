"""Let visitors take turns, so that a burst of questions of one does not delay the others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from vgtoolbox.webui.responder import PageError

Result = TypeVar("Result")


class Turns:
    """Queue that serves one question at a time and alternates between the visitors.

    If it is full, the newest question of the visitor with the most questions is refused.

    Args:
        waiting: Largest number of questions that wait.
        seconds: Longest time to wait.
    """

    def __init__(self, *, waiting: int = 64, seconds: float = 120) -> None:
        self._limit = waiting
        self._seconds = seconds
        self._busy = False
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def take(self, visitor: str) -> AsyncIterator[None]:
        """Wait for the turn of a visitor.

        Args:
            visitor: Network address of the visitor.

        Raises:
            PageError: The queue is full, or the turn did not come in time.
        """
        if self._busy:
            await self._wait(visitor)
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            self._call_next()

    async def run(self, visitor: str, function: Callable[[], Result]) -> Result:
        """Call a function in a thread when it is the turn of a visitor.

        The turn lasts until the function has returned, even if the visitor leaves before.

        Args:
            visitor: Network address of the visitor.
            function: Function without arguments.

        Raises:
            PageError: The queue is full, or the turn did not come in time.
        """
        async with self.take(visitor):
            call = asyncio.ensure_future(asyncio.to_thread(function))
            try:
                return await asyncio.shield(call)
            finally:
                await asyncio.wait([call])

    async def _wait(self, visitor: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(visitor, deque()).append(turn)
        if len(self) > self._limit:
            self._refuse_one()
        try:
            await asyncio.wait_for(turn, self._seconds)
        except asyncio.TimeoutError:
            raise _busy() from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._busy = False  # the turn came together with the cancellation
                self._call_next()
            raise
        finally:
            self._forget(visitor, turn)

    def _refuse_one(self) -> None:
        heaviest = max(self._waiting, key=lambda visitor: len(self._waiting[visitor]))
        self._waiting[heaviest].pop().set_exception(_busy())

    def _call_next(self) -> None:
        """Give the turn to the visitor whose last turn is the longest ago."""
        while self._waiting:
            visitor, turns = self._waiting.popitem(last=False)
            turn = turns.popleft() if turns else None
            if turns:
                self._waiting[visitor] = turns
            if turn is not None and not turn.done():
                self._busy = True  # nobody may take the turn before its owner resumes
                turn.set_result(None)
                return

    def _forget(self, visitor: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(visitor)
        if turns is not None and turn in turns:
            turns.remove(turn)
        if turns is not None and not turns:
            del self._waiting[visitor]


def _busy() -> PageError:
    return PageError("the page is busy; try again in a moment")
