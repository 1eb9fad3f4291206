"""Let visitors take turns, so that a burst of questions of one does not delay the others."""

from __future__ import annotations

import asyncio
import bisect
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from vgtoolbox.webui.responder import PageError

Result = TypeVar("Result")


# A visitor listens for the answer as soon as the question has been accepted. Under load, questions
# are dropped earlier.
_UNHEARD_SECONDS, _HURRY_SECONDS = 1.0, 0.2


class Listeners:
    """Sessions whose visitors currently listen for answers."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __contains__(self, session: str) -> bool:
        return self._counts[session] > 0

    @contextmanager
    def listen(self, session: str) -> Iterator[None]:
        """Count a visitor of a session as a listener."""
        self._counts[session] += 1
        try:
            yield
        finally:
            self._counts[session] -= 1
            if not self._counts[session]:
                del self._counts[session]


@dataclass(eq=False)
class _Question:
    """Question that waits for its turn."""

    turn: asyncio.Future[None]
    is_heard: Callable[[], bool]
    handicap: float
    since: float = field(default_factory=time.monotonic)

    @property
    def rank(self) -> float:
        """Position among the questions of its visitor."""
        return self.since + self.handicap

    def is_abandoned(self, seconds: float) -> bool:
        """Return whether nobody listens for the answer `seconds` after the question."""
        return time.monotonic() - self.since > seconds and not self.is_heard()

    def refuse(self) -> None:
        if not self.turn.done():
            self.turn.set_exception(PageError("the page is busy; try again in a moment"))


class Turns:
    """Queue that serves one question at a time and alternates between the visitors.

    Questions for whose answers nobody listens are dropped. If the queue is full, the last question
    of the visitor with the most questions is refused.

    Args:
        waiting: Largest number of questions that wait.
        seconds: Longest time to wait.
    """

    def __init__(self, *, waiting: int = 64, seconds: float = 120) -> None:
        self._limit = waiting
        self._seconds = seconds
        self._busy = False
        self._waiting: OrderedDict[str, list[_Question]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def run(
        self,
        visitor: str,
        function: Callable[[Callable[[], bool]], Result],
        *,
        is_heard: Callable[[], bool] = lambda: True,
        handicap: float = 0.0,
    ) -> Result:
        """Call a function in a thread when it is the turn of a visitor.

        The turn lasts until the function has returned, even if the visitor leaves before.

        Args:
            visitor: Network address of the visitor.
            function: Function that is given a function which returns whether the answer is still
                wanted.
            is_heard: Function that returns whether the visitor still listens for the answer.
            handicap: Seconds by which the question is counted as newer than it is, so that a large
                one lets later small ones of the same visitor pass.

        Raises:
            PageError: The queue is full, the turn did not come in time, or nobody listens.
        """
        started = time.monotonic()

        def is_wanted() -> bool:
            return is_heard() or time.monotonic() - started < _UNHEARD_SECONDS

        async with self._take(visitor, is_heard, handicap):
            call = asyncio.ensure_future(asyncio.to_thread(function, is_wanted))
            try:
                return await asyncio.shield(call)
            finally:
                await asyncio.wait([call])

    @asynccontextmanager
    async def _take(
        self, visitor: str, is_heard: Callable[[], bool], handicap: float
    ) -> AsyncIterator[None]:
        if self._busy:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            await self._wait(visitor, _Question(turn, is_heard, handicap))
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            self._call_next()

    async def _wait(self, visitor: str, question: _Question) -> None:
        questions = self._waiting.setdefault(visitor, [])
        bisect.insort(questions, question, key=lambda other: other.rank)
        if len(self) > self._limit:
            self._refuse_some()
        try:
            await asyncio.wait_for(question.turn, self._seconds)
        except asyncio.TimeoutError:
            raise PageError("the page is busy; try again in a moment") from None
        except asyncio.CancelledError:
            if question.turn.done():
                self._pass_on(question)
            raise
        finally:
            self._forget(visitor, question)

    def _pass_on(self, question: _Question) -> None:
        """Call the next visitor if the turn came together with a cancellation."""
        with suppress(asyncio.CancelledError):  # raised if it did not come
            if question.turn.exception() is None:
                self._busy = False
                self._call_next()

    def _refuse_some(self) -> None:
        refused = [
            (visitor, question)
            for visitor, questions in self._waiting.items()
            for question in questions
            if question.is_abandoned(_HURRY_SECONDS)
        ]
        if not refused:
            heaviest = max(self._waiting, key=lambda visitor: len(self._waiting[visitor]))
            refused = [(heaviest, self._waiting[heaviest][-1])]
        for visitor, question in refused:
            question.refuse()
            self._forget(visitor, question)

    def _call_next(self) -> None:
        """Give the turn to the visitor whose last turn is the longest ago."""
        while self._waiting:
            visitor, questions = self._waiting.popitem(last=False)
            question = questions.pop(0) if questions else None
            if questions:
                self._waiting[visitor] = questions
            if question is None or question.turn.done():
                continue
            if question.is_abandoned(_UNHEARD_SECONDS):
                question.refuse()
                continue
            self._busy = True  # nobody may take the turn before its owner resumes
            question.turn.set_result(None)
            return

    def _forget(self, visitor: str, question: _Question) -> None:
        questions = self._waiting.get(visitor)
        if questions is not None and question in questions:
            questions.remove(question)
        if questions is not None and not questions:
            del self._waiting[visitor]
