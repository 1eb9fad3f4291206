import asyncio

import pytest

from vgtoolbox.webui.connections import BusyError, ConnectionLimits, Connections, Stage


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Transport:
    def __init__(self, address, port):
        self.name = (address, port)
        self.aborted = False

    def get_extra_info(self, key):
        assert key == "peername"
        return self.name

    def abort(self):
        self.aborted = True


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(clock):
    limits = ConnectionLimits(
        connections=3,
        bodies=2,
        seconds=(10, 100, 50, 20),
        grace=(0, 2, 0, 10),
        bytes_per_second=10,
        slow_seconds=5,
    )
    return Connections(limits=limits, clock=clock)


def connect(table, address, port, stage=Stage.WAITING):
    transport = Transport(address, port)
    table.opened(transport)
    if not transport.aborted:
        table.enter(transport.name, stage)
    return transport


@pytest.mark.parametrize(
    ("stage", "seconds"), [(Stage.WAITING, 10), (Stage.STREAMING, 50), (Stage.ANSWERING, 20)]
)
def test_each_stage_has_its_time(table, clock, stage, seconds):
    connection = connect(table, "a", 1, stage)
    clock.now = seconds
    table.sweep()
    assert not connection.aborted
    clock.now = seconds + 0.1
    table.sweep()
    assert connection.aborted
    assert len(table) == 0


def test_time_starts_again_with_a_stage_but_not_with_data(table, clock):
    one, other = connect(table, "a", 1), connect(table, "a", 2)
    clock.now = 9
    table.enter(one.name, Stage.WAITING)
    table.received(other.name, 1)  # a byte of a header, again and again
    clock.now = 11
    table.sweep()
    assert not one.aborted
    assert other.aborted


def test_slow_body_is_given_up(table, clock):
    slow, fast = (connect(table, "a", port, Stage.RECEIVING) for port in (1, 2))
    clock.now = 4.9
    table.sweep()
    assert not slow.aborted
    table.received(slow.name, 20)
    table.received(fast.name, 200)
    clock.now = 5
    table.sweep()
    assert slow.aborted
    assert not fast.aborted
    table.received(fast.name, 10_000)
    clock.now = 100.1
    table.sweep()
    assert fast.aborted


def test_the_oldest_idle_connection_makes_room(table, clock):
    first = connect(table, "a", 1)
    clock.now = 1
    answering, second = connect(table, "a", 2, Stage.ANSWERING), connect(table, "a", 3)
    new = connect(table, "b", 4)
    assert [c.aborted for c in (first, answering, second, new)] == [True, False, False, False]
    assert len(table) == 3


def test_the_address_with_the_most_connections_makes_room(table, clock):
    honest = connect(table, "honest", 1, Stage.STREAMING)
    clock.now = 1
    hostile = [connect(table, "hostile", port, Stage.STREAMING) for port in (2, 3)]
    connect(table, "other", 4)
    assert not honest.aborted
    assert [connection.aborted for connection in hostile] == [True, False]


def test_a_new_connection_is_refused_if_all_others_are_at_work(table, clock):
    working = [connect(table, "a", port, Stage.ANSWERING) for port in (1, 2, 3)]
    assert connect(table, "b", 4).aborted
    assert not any(connection.aborted for connection in working)
    clock.now = 11  # they take suspiciously long, e.g. read their answers slowly
    assert not connect(table, "b", 5).aborted
    assert [connection.aborted for connection in working] == [True, False, False]


def test_a_waiting_body_replaces_one_that_has_had_its_time(table, clock):
    held = [connect(table, "a", port, Stage.RECEIVING) for port in (1, 2)]
    new = connect(table, "b", 3)
    clock.now = 3
    asyncio.run(table.enter_receiving(new.name))
    assert [connection.aborted for connection in held] == [True, False]


def test_too_many_young_bodies(table, monkeypatch):
    for port in (1, 2):
        connect(table, "a", port, Stage.RECEIVING)
    monkeypatch.setattr("vgtoolbox.webui.connections._RETRY_SECONDS", 0)
    with pytest.raises(BusyError):
        asyncio.run(table.enter_receiving(connect(table, "b", 3).name))


def test_closed_connections_are_forgotten_also_if_their_port_is_used_again(table):
    old, new = Transport("a", 1), Transport("a", 1)
    table.opened(old)
    table.abort(old.name)
    table.opened(new)
    table.closed(old)
    assert len(table) == 1
    table.closed(new)
    assert len(table) == 0


def test_a_request_ends_with_waiting_for_the_next(table, clock):
    connection = connect(table, "a", 1)
    with pytest.raises(KeyError), table.request(connection.name):
        table.enter(connection.name, Stage.ANSWERING)
        clock.now = 15
        raise KeyError
    clock.now = 24
    table.sweep()
    assert not connection.aborted
    clock.now = 26
    table.sweep()
    assert connection.aborted
