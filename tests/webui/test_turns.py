import asyncio
import threading

import pytest

from vgtoolbox.webui import PageError, turns
from vgtoolbox.webui.turns import Listeners, Turns


class Work:
    """Functions that note their order; the first one waits until the others have come."""

    def __init__(self):
        self.done = []
        self.start = threading.Event()

    def __call__(self, name):
        def function(is_wanted):
            assert self.start.wait(10)
            self.done.append(name)
            return name

        return function


async def ask_all(queue, work, names, **options):
    """Ask in the order of the names, whose first letters are the visitors."""
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(queue.run(name[0], work(name), **options)))
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    work.start.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_visitors_alternate():
    work = Work()
    names = ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]
    assert asyncio.run(ask_all(Turns(), work, names)) == names
    assert work.done == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


def test_one_at_a_time():
    active, most = [], []

    def function(is_wanted):
        active.append(1)
        most.append(len(active))
        active.pop()

    async def run():
        queue = Turns()
        await asyncio.gather(*(queue.run("a", function) for _ in range(30)))

    asyncio.run(run())
    assert most == [1] * 30


def test_full_queue_refuses_the_newest_of_the_visitor_with_the_most_questions():
    work = Work()
    names = ["a1", "a2", "a3", "a4", "b1", "b2"]
    answers = asyncio.run(ask_all(Turns(waiting=3), work, names))
    refused = [n for n, a in zip(names, answers, strict=True) if isinstance(a, PageError)]
    assert refused == ["a3", "a4"]
    assert sorted(work.done) == ["a1", "a2", "b1", "b2"]


def test_questions_of_visitors_who_have_left_are_dropped(monkeypatch):
    monkeypatch.setattr(turns, "_UNHEARD_SECONDS", 0.0)
    work, listeners = Work(), Listeners()

    async def run():
        queue = Turns()
        first = asyncio.create_task(queue.run("a", work("first")))
        await asyncio.sleep(0)
        left = asyncio.create_task(queue.run("a", work("left"), is_heard=lambda: "x" in listeners))
        with listeners.listen("y"):
            heard = asyncio.create_task(
                queue.run("a", work("heard"), is_heard=lambda: "y" in listeners)
            )
            await asyncio.sleep(0.05)
            work.start.set()
            return await asyncio.gather(first, left, heard, return_exceptions=True)

    first, left, heard = asyncio.run(run())
    assert (first, heard) == ("first", "heard")
    assert isinstance(left, PageError)
    assert work.done == ["first", "heard"]
    assert "y" not in listeners


def test_time_in_the_queue_is_bounded():
    work = Work()

    async def run():
        queue = Turns(seconds=0.05)
        first = asyncio.create_task(queue.run("a", work("first")))
        await asyncio.sleep(0)
        with pytest.raises(PageError, match="busy"):
            await queue.run("b", work("second"))
        assert len(queue) == 0
        work.start.set()
        assert await first == "first"
        assert await queue.run("c", work("third")) == "third"

    asyncio.run(run())


@pytest.mark.parametrize("canceled", [0, 1, 2])
def test_cancellation_passes_the_turn_on(canceled):
    work = Work()

    async def run():
        queue = Turns()
        tasks = []
        for name in "abc":
            tasks.append(asyncio.create_task(queue.run(name, work(name))))
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        tasks[canceled].cancel()
        work.start.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[canceled], asyncio.CancelledError)
        assert await asyncio.wait_for(queue.run("d", work("d")), 10) == "d"

    asyncio.run(run())
    # The thread of the one at work cannot be stopped, and nobody else starts before it ends.
    expected = [name for number, name in enumerate("abcd") if number != canceled or number == 0]
    assert work.done == expected


def test_errors_end_the_turn():
    def fail(is_wanted):
        raise KeyError("x")

    async def run():
        queue = Turns()
        with pytest.raises(KeyError):
            await queue.run("a", fail)
        return await queue.run("a", lambda is_wanted: is_wanted())

    assert asyncio.run(run()) is True


def test_full_queue_drops_questions_of_visitors_who_have_left_first(monkeypatch):
    monkeypatch.setattr(turns, "_HURRY_SECONDS", 0.0)
    work = Work()

    async def run():
        queue = Turns(waiting=2)
        asked = [("a", True), ("a", True), ("b", False), ("a", True)]
        tasks = []
        for number, (visitor, heard) in enumerate(asked):
            question = queue.run(visitor, work(number), is_heard=lambda heard=heard: heard)
            tasks.append(asyncio.create_task(question))
            await asyncio.sleep(0.01)
        work.start.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(run())
    assert isinstance(answers[2], PageError)
    assert work.done == [0, 1, 3]


def test_small_questions_pass_large_ones_of_the_same_visitor():
    work = Work()

    async def run():
        queue = Turns()
        asked = [("a", 0, "first"), ("a", 60, "large"), ("a", 0, "small"), ("b", 90, "other")]
        tasks = []
        for visitor, handicap, name in asked:
            question = queue.run(visitor, work(name), handicap=handicap)
            tasks.append(asyncio.create_task(question))
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        work.start.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert work.done == ["first", "small", "other", "large"]
