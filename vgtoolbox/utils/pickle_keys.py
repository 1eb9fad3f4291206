"""Find out whether a pickle uses tuples as keys, before anything is hashed.

Hashing a tuple visits all of its parts, without a check of the stack's depth, and the hash of
tuples of numbers is not secret. One of a million levels crashes the interpreter, one that has 2^40
leaves because it shares its parts hashes for years, and 2^17 of the same hash make a dictionary
quadratic. Data files need none of them. `check_keys` follows the stack and the memo of the
unpickler without creating any object, and refuses tuples as keys and members of sets.
"""

from __future__ import annotations

import re

# Number of fixed bytes, of items popped and of items pushed that are not tuples.
_PLAIN: dict[int, tuple[int, int, int]] = {
    **dict.fromkeys(b"N\x88\x89])}\x8f", (0, 0, 1)),
    ord("K"): (1, 0, 1),
    ord("M"): (2, 0, 1),
    ord("J"): (4, 0, 1),
    ord("G"): (8, 0, 1),
    ord("\x80"): (1, 0, 0),
    ord("\x95"): (8, 0, 0),
    **dict.fromkeys(b"ab", (0, 1, 0)),
    ord("Q"): (0, 1, 1),
    **dict.fromkeys(b"R\x81\x93", (0, 2, 1)),
    ord("\x92"): (0, 3, 1),
}
_PAYLOADS = {
    **dict.fromkeys(b"UC\x8c\x8a", 1),
    **dict.fromkeys(b"TBX\x8b", 4),
    **dict.fromkeys(b"\x8e\x8d\x96", 8),
}
_LINES = {**dict.fromkeys(b"ILSVF", 1), **dict.fromkeys(b"ci", 2)}
# Opcodes that take everything above the mark, with the number of items that they push.
_TO_MARK = {**dict.fromkeys(b"eu\x901", 0), **dict.fromkeys(b"ldo\x91i", 1)}
# Every how many of these items is a key.
_KEY_STEPS = {ord("u"): 2, ord("d"): 2, ord("\x90"): 1, ord("\x91"): 1}
_MEMO = {ord("q"): 1, ord("r"): 4, ord("h"): 1, ord("j"): 4, ord("p"): 0, ord("g"): 0}
_TUPLES = {ord("\x85"): 1, ord("\x86"): 2, ord("\x87"): 3}
_LINE = re.compile(rb"[^\n]*\n")


class KeyTypeError(ValueError):
    """A pickle uses a tuple as a key, or its stack is malformed."""


def check_keys(data: bytes, start: int, end: int) -> None:
    """Raise if a pickle uses a tuple as a key of a dictionary or as a member of a set.

    Args:
        data: File with a pickle whose opcodes and lengths are valid.
        start: Position of the pickle.
        end: Position after its last opcode.

    Raises:
        KeyTypeError: A key is a tuple, or the stack is malformed.
    """
    try:
        _Stack(data, start, end).run()
    except (IndexError, KeyError) as error:
        raise KeyTypeError(f"the stack of the pickle is malformed ({error})") from error


class _Stack:
    """Stack and memo of the unpickler, which only know whether an object is a tuple."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data, self.position, self.end = data, start, end
        self.items: list[bool] = []
        self.marks: list[int] = []
        self.memo: dict[int, bool] = {}

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
                    items.append(False)
            elif opcode in _PAYLOADS:
                length = self._number(_PAYLOADS[opcode])
                self.position += length
                items.append(False)
            elif opcode in _MEMO:
                self._use_memo(opcode)
            elif opcode in _TUPLES:
                items[self._base(_TUPLES[opcode]) :] = [True]
            else:
                self._run_rare(opcode)

    def _run_rare(self, opcode: int) -> None:
        items = self.items
        if opcode == ord("("):
            self.marks.append(len(items))
        elif opcode == ord("t"):
            items[self.marks.pop() :] = [True]
        elif opcode == ord("s"):
            self._take_keys(self._base(2), 2)
        elif opcode in _TO_MARK:
            if opcode in _LINES:
                self._skip_lines(_LINES[opcode])
            self._take_keys(self.marks.pop(), _KEY_STEPS.get(opcode, 0))
            items.extend([False] * _TO_MARK[opcode])
        elif opcode == ord("0"):
            if self.marks and self.marks[-1] == len(items):
                self.marks.pop()
            else:
                items.pop()
        elif opcode in _LINES:
            self._skip_lines(_LINES[opcode])
            items.append(False)
        elif opcode == ord("\x94"):
            self.memo[len(self.memo)] = items[-1]
        elif opcode != ord("."):
            raise KeyTypeError(f"the opcode {bytes([opcode])!r} is not allowed")

    def _take_keys(self, base: int, step: int) -> None:
        """Pop the items above `base`; every `step`-th one is a key, 0 for none."""
        if step and any(self.items[base::step]):
            raise KeyTypeError("it has a tuple as a key; keys must be text or numbers")
        del self.items[base:]

    def _base(self, count: int) -> int:
        base = len(self.items) - count
        if base < (self.marks[-1] if self.marks else 0):
            raise KeyTypeError("the stack of the pickle is malformed")
        return base

    def _use_memo(self, opcode: int) -> None:
        width = _MEMO[opcode]
        index = self._number(width) if width else int(self._skip_lines(1))
        if opcode in b"qrp":
            self.memo[index] = self.items[-1]
        else:
            self.items.append(self.memo[index])

    def _number(self, width: int) -> int:
        start = self.position
        self.position += width
        return int.from_bytes(self.data[start : self.position], "little")

    def _skip_lines(self, count: int) -> bytes:
        line = b""
        for _ in range(count):
            found = _LINE.match(self.data, self.position)
            if found is None:
                raise KeyTypeError("the pickle is truncated")
            self.position, line = found.end(), found[0]
        return line
