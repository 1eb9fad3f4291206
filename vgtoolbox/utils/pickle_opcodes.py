"""Check the opcodes of a pickle before any of them runs.

The standard unpickler allocates what a pickle asks for, such as a memo of 2^32 entries, and hashes
whatever is used as a key. A pickle of a few hundred bytes can therefore fill the memory, or hash a
tuple that has 2^40 leaves because it shares its parts. `check_opcodes` refuses such pickles.

It reads the stream once. A regular expression skips runs of opcodes whose arguments have a fixed
size, which makes it several times faster than `pickletools.genops`.
"""

from __future__ import annotations

import re

from vgtoolbox.utils.pickle_keys import KeyTypeError, check_keys

MAX_WIDE_INTEGERS = 100
"""Integers of more than 8 bytes. Any number of them can be chosen to have one and the same hash,
which makes a dictionary of them quadratic. A file of torch begins with one of 10 bytes."""
_WORD = 8
_MAX_INTEGER_BYTES = 1024
_MAX_LINE = 1 << 20


class PickleOpcodeError(ValueError):
    """A pickle is malformed, or uses an opcode in a way that a data file does not need."""


def _one_of(opcodes: bytes) -> bytes:
    return b"[" + re.escape(opcodes) + b"]"


_NO_ARGUMENT = _one_of(b"N\x88\x89]}ael(01Rbo\x8f\x93\x81\x92)")
_FIXED_SIZE = rb"K.|M..|J.{4}|G.{8}|\x80[\x00-\x05]"
# LONG_BINPUT with an index below 2^22 is harmless; a larger one is compared with the file's size.
_PUT = rb"q.|r..[\x00-\x3f]\x00"
_GET = rb"h.|j.{4}"
_TUPLES = b"t\x85\x86\x87"
_KEYED = b"sud\x90\x91"  # fill a dictionary or a set


def _runs_of(*opcodes: bytes) -> re.Pattern[bytes]:
    return re.compile(b"(?:" + b"|".join((_NO_ARGUMENT, _FIXED_SIZE, *opcodes)) + b")+", re.DOTALL)


# By whether the pickle names its memo entries (PUT, protocols 0 to 3; otherwise MEMOIZE numbers
# them), and which of tuples and keys it has.
_RUNS = {
    (puts, has): _runs_of(_GET, *([_PUT] if puts else []), *([_one_of(has)] if has else []))
    for puts in (False, True)
    for has in (b"", _TUPLES, _KEYED, _TUPLES + _KEYED)
}

# Width of the length that precedes the payload of an opcode.
_LENGTH_WIDTH = {
    **dict.fromkeys(b"UC\x8c\x8a", 1),
    **dict.fromkeys(b"TBX\x8b", 4),
    **dict.fromkeys(b"\x8e\x8d\x96", 8),
}
_INTEGERS = frozenset(b"\x8a\x8b")
_LINES = {**dict.fromkeys(b"ILSVFgp", 1), **dict.fromkeys(b"ci", 2)}
_STOP, _FRAME, _MEMOIZE, _PERSISTENT_ID = b".\x95\x94Q"
_PUTS = {ord("q"): 1, ord("r"): 4}


def check_opcodes(data: bytes, start: int = 0, *, persistent_ids: bool = False) -> int:
    """Raise unless a pickle is harmless to load.

    Args:
        data: Whole file, as bytes or as a memory map.
        start: Position of the pickle. Bytes after its end are ignored.
        persistent_ids: Whether the pickle may refer to objects outside, as files of torch do.

    Returns:
        The position after the end of the pickle.

    Raises:
        PickleOpcodeError: The stream is truncated; a payload is longer than the file; a memo index
            is larger than the file; there are more than `MAX_WIDE_INTEGERS`, or one of more than
            1 KiB; a tuple is a key (`check_keys`); or an opcode is unknown or not allowed
            (persistent ids, DUP, extensions, out-of-band buffers).
    """
    return _Checker(data, start, persistent_ids=persistent_ids).run()


class _Checker:
    """Position in the stream, and whether it has tuples and keys."""

    def __init__(self, data: bytes, start: int, *, persistent_ids: bool) -> None:
        self.data = data
        self.start = self.position = start
        self.persistent_ids = persistent_ids
        self.memoized = 0
        self.named = False
        self.wide_integers = 0
        self.has_tuples = self.has_keys = False
        self._run = _RUNS[False, b""]

    def run(self) -> int:
        self._check_stream()
        if self.has_tuples and self.has_keys:
            try:
                check_keys(self.data, self.start, self.position)
            except KeyTypeError as error:
                raise PickleOpcodeError(str(error)) from error
        return self.position

    def _check_stream(self) -> None:
        data, size = self.data, len(self.data)
        while True:
            run = self._run.match(data, self.position)
            if run is not None:
                self.position = run.end()
            if self.position >= size:
                raise PickleOpcodeError("the pickle is truncated")
            opcode = data[self.position]
            self.position += 1
            if opcode in _LENGTH_WIDTH:
                self._skip_payload(opcode)
            elif opcode == _MEMOIZE and not self.named:
                self.memoized += 1
            elif opcode == _STOP:
                return
            else:
                self._check_other(opcode)

    def _skip_payload(self, opcode: int) -> None:
        width = _LENGTH_WIDTH[opcode]
        length = self._number(width)
        if length > len(self.data) - self.position:
            raise PickleOpcodeError(f"a value of {length} bytes is longer than the file")
        if opcode in _INTEGERS:
            self._check_integer(length)
        self.position += length

    def _check_integer(self, size: int) -> None:
        self.wide_integers += size > _WORD
        if size > _MAX_INTEGER_BYTES or self.wide_integers > MAX_WIDE_INTEGERS:
            raise PickleOpcodeError("it has too many integers of more than 8 bytes")

    def _check_other(self, opcode: int) -> None:
        """Check an opcode that is rare, or that depends on the memo."""
        if opcode in _TUPLES:
            self.has_tuples = True
            self._choose_run()
        elif opcode in _KEYED:
            self.has_keys = True
            self._choose_run()
        elif opcode in _LINES:
            self._check_lines(opcode)
        elif opcode in _PUTS:
            self._check_put(self._number(_PUTS[opcode]))
        elif opcode == _FRAME:
            self._number(8)
        elif opcode == _PERSISTENT_ID and self.persistent_ids:
            pass
        else:
            raise PickleOpcodeError(f"the opcode {bytes([opcode])!r} is not allowed")

    def _choose_run(self) -> None:
        has = (_TUPLES if self.has_tuples else b"") + (_KEYED if self.has_keys else b"")
        self._run = _RUNS[self.named, has]

    def _check_lines(self, opcode: int) -> None:
        lines = [self._line() for _ in range(_LINES[opcode])]
        if opcode == ord("g"):
            _decimal(lines[0])
        elif opcode == ord("p"):
            self._check_put(_decimal(lines[0]))
        elif opcode in b"IL":
            self._check_integer(len(lines[0]) // 2 - 1)  # 19 digits and a sign fit into 8 bytes

    def _check_put(self, index: int) -> None:
        if self.memoized:
            raise PickleOpcodeError("it mixes two ways to number its memo entries")
        self.named = True
        self._choose_run()
        if index > len(self.data):
            raise PickleOpcodeError(f"the memo index {index} is larger than the file")

    def _number(self, width: int) -> int:
        end = self.position + width
        if end > len(self.data):
            raise PickleOpcodeError("the pickle is truncated")
        number = int.from_bytes(self.data[self.position : end], "little")
        self.position = end
        return number

    def _line(self) -> bytes:
        end = self.data.find(b"\n", self.position, self.position + _MAX_LINE)
        if end < 0:
            raise PickleOpcodeError("the pickle is truncated, or a line is too long")
        line = self.data[self.position : end]
        self.position = end + 1
        return line


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 12:
        raise PickleOpcodeError(f"the memo index {text[:20]!r} is not a number")
    return int(text)
