"""Bound the nesting of the tuples in a pickle.

Hashing a tuple visits all of its parts, without a check of the stack's depth. A tuple of a million
levels crashes the interpreter, and one that has 2^40 leaves because it shares its parts hashes for
years. `check_tuples` follows the stack and the memo of the unpickler without creating any object,
and measures each tuple.
"""

from __future__ import annotations

import re

MAX_DEPTH = 100
_VISITS_PER_BYTE = 10  # visits of leaves that a file may cause by its size
_FREE_VISITS = 10_000

_Item = tuple[int, int]  # number of leaves, depth
_LEAF: _Item = (1, 0)

# Number of fixed bytes, of items popped and of leaves pushed.
_PLAIN: dict[int, tuple[int, int, int]] = {
    **dict.fromkeys(b"N\x88\x89])}\x8f", (0, 0, 1)),
    ord("K"): (1, 0, 1),
    ord("M"): (2, 0, 1),
    ord("J"): (4, 0, 1),
    ord("G"): (8, 0, 1),
    ord("\x80"): (1, 0, 0),
    ord("\x95"): (8, 0, 0),
    **dict.fromkeys(b"ab", (0, 1, 0)),
    ord("s"): (0, 2, 0),
    ord("Q"): (0, 1, 1),
    **dict.fromkeys(b"R\x81\x93", (0, 2, 1)),
    ord("\x92"): (0, 3, 1),
}
_PAYLOADS = {
    **dict.fromkeys(b"UC\x8c\x8a", 1),
    **dict.fromkeys(b"TBX\x8b", 4),
    **dict.fromkeys(b"\x8e\x8d\x96", 8),
}
_LINES = {**dict.fromkeys(b"ILSVF", 1), **dict.fromkeys(b"c", 2)}
_TO_MARK = {**dict.fromkeys(b"eu\x90" + b"1", 0), **dict.fromkeys(b"ldo\x91i", 1)}
_MEMO = {ord("q"): 1, ord("r"): 4, ord("h"): 1, ord("j"): 4, ord("p"): 0, ord("g"): 0}
_TUPLES = {ord("\x85"): 1, ord("\x86"): 2, ord("\x87"): 3}
_LINE = re.compile(rb"[^\n]*\n")


class TupleError(ValueError):
    """A pickle nests or shares tuples more than a data file needs, or its stack is malformed."""


def check_tuples(data: bytes, start: int, end: int) -> None:
    """Raise unless all tuples of a pickle can be hashed quickly.

    Args:
        data: File with a pickle whose opcodes and lengths are valid.
        start: Position of the pickle.
        end: Position after its last opcode.

    Raises:
        TupleError: A tuple has more than `MAX_DEPTH` levels, the tuples together have many times
            more leaves than the pickle has bytes, or the stack is malformed.
    """
    try:
        _Stack(data, start, end).run()
    except (IndexError, KeyError, ValueError) as error:
        if isinstance(error, TupleError):
            raise
        raise TupleError(f"the stack of the pickle is malformed ({error})") from error


class _Stack:
    """Stack and memo of the unpickler, with a size instead of each object."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data, self.position, self.end = data, start, end
        self.items: list[_Item] = []
        self.marks: list[int] = []
        self.memo: dict[int, _Item] = {}
        self.visits = _FREE_VISITS + _VISITS_PER_BYTE * (end - start)

    def run(self) -> None:
        data, items, end = self.data, self.items, self.end
        while self.position < end:
            opcode = data[self.position]
            self.position += 1
            plain = _PLAIN.get(opcode)
            if plain is not None:
                size, popped, pushed = plain
                self.position += size
                if popped:
                    del items[self._base(popped) :]
                if pushed:
                    items.append(_LEAF)
            elif opcode in _PAYLOADS:
                length = self._number(_PAYLOADS[opcode])
                self.position += length
                items.append(_LEAF)
            elif opcode in _TUPLES:
                self._make_tuple(self._base(_TUPLES[opcode]))
            elif opcode in _MEMO:
                self._use_memo(opcode)
            else:
                self._run_rare(opcode)

    def _run_rare(self, opcode: int) -> None:
        items = self.items
        if opcode == ord("("):
            self.marks.append(len(items))
        elif opcode == ord("t"):
            self._make_tuple(self.marks.pop())
        elif opcode in _TO_MARK:
            if opcode == ord("i"):
                self._skip_lines(2)
            del items[self.marks.pop() :]
            items.extend([_LEAF] * _TO_MARK[opcode])
        elif opcode == ord("0"):
            if self.marks and self.marks[-1] == len(items):
                self.marks.pop()
            else:
                items.pop()
        elif opcode in _LINES:
            self._skip_lines(_LINES[opcode])
            items.append(_LEAF)
        elif opcode == ord("\x94"):
            self.memo[len(self.memo)] = items[-1]
        elif opcode != ord("."):
            raise TupleError(f"the opcode {bytes([opcode])!r} is not allowed")

    def _base(self, count: int) -> int:
        base = len(self.items) - count
        if base < (self.marks[-1] if self.marks else 0):
            raise TupleError("the stack of the pickle is malformed")
        return base

    def _make_tuple(self, base: int) -> None:
        parts = self.items[base:]
        depth = 1 + max((part[1] for part in parts), default=0)
        if depth > MAX_DEPTH:
            raise TupleError(f"it has a tuple of more than {MAX_DEPTH} levels")
        self.items[base:] = [self._visited((1 + sum(part[0] for part in parts), depth))]

    def _visited(self, item: _Item) -> _Item:
        self.visits -= item[0]
        if self.visits < 0:
            raise TupleError("its tuples share their parts so often that hashing takes forever")
        return item

    def _use_memo(self, opcode: int) -> None:
        width = _MEMO[opcode]
        index = self._number(width) if width else int(self._skip_lines(1))
        if opcode in b"qrp":
            self.memo[index] = self.items[-1]
        else:
            self.items.append(self._visited(self.memo[index]))

    def _number(self, width: int) -> int:
        start = self.position
        self.position += width
        return int.from_bytes(self.data[start : self.position], "little")

    def _skip_lines(self, count: int) -> bytes:
        line = b""
        for _ in range(count):
            found = _LINE.match(self.data, self.position)
            if found is None:
                raise TupleError("the pickle is truncated")
            self.position, line = found.end(), found[0]
        return line
