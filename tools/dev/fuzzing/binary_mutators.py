"""Mutate pickles, archives, safetensors and images by their structure."""

from __future__ import annotations

import io
import pickletools
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence

from fuzzing.byte_mutators import BYTES, flip_bytes, insert_number
from fuzzing.json_mutators import mutate_json

# Opcodes that push a value, call something, or use the memo in ways that data files do not need.
_OPCODES = (
    *(b"N", b"\x88", b"]", b"}", b")", b"\x8f", b"(", b"0", b"2", b"1", b"t", b"l", b"d", b"\x90"),
    *(b"K\x00", b"J\xff\xff\xff\xff", b"G\x7f\xf8\0\0\0\0\0\0", b"G\x7f\xf0\0\0\0\0\0\0", b"I01\n"),
    *(b"\x8a\x10" + b"\xff" * 16, b"\x8b\xff\xff\xff\x7f", b"L" + b"9" * 3000 + b"L\n", b"I-0x1\n"),
    *(
        b"\x8c\x01a",
        b"X\x02\0\0\0ab",
        b"X\xff\xff\xff\x7f",
        b"X\x03\0\0\0\xed\xa0\x80",
        b"U\x02\xff\xfe",
    ),
    *(b"B\x02\0\0\0ab", b"\x8e" + b"\xff" * 8, b"\x96\x02\0\0\0\0\0\0\0ab", b"\x97", b"\x98"),
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"R", b"b"),
    *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n", b"\x93"),
    *(b"ccollections\nOrderedDict\n", b"cbuiltins\nset\n", b"c_codecs\nencode\n", b"o", b"\x81"),
    *(
        b"ctorch._utils\n_rebuild_tensor_v2\n",
        b"ctorch\nFloatStorage\n",
        b"Q",
        b"P1\n",
        b"\x82\x01",
    ),
    *(b"q\x00", b"h\x00", b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\x7f", b"p99999999\n", b"g0\n"),
    *(b"\x94", b"\x85", b"\x86", b"\x87", b"a", b"e", b"s", b"u", b".", b"\x80\x05", b"\x80\xff"),
    *(b"\x95" + b"\xff" * 8, b"\x85q\x01h\x01\x86" * 40, b"(" * 2000, b"]" * 2000, b"\x91"),
    *(b"}(" + b"K\x01K\x02" * 500 + b"u", b"(" + b"K\x01" * 3000 + b"l", b"cnumpy\nfloat64\n"),
)


def mutate_pickle(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Drop, repeat, swap, replace or insert opcodes; the pickle is never loaded here."""
    starts = _opcode_starts(data)
    if len(starts) < 2:
        return flip_bytes(rng, data, others)
    parts = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(parts))
        action = rng.randrange(6)
        if action == 0 and len(parts) > 2:
            del parts[place]
        elif action == 1:
            parts[place:place] = [parts[place]] * rng.choice((1, 1, 3, 200))
        elif action == 2:
            other = rng.randrange(len(parts))
            parts[place], parts[other] = parts[other], parts[place]
        elif action == 3:
            parts[place] = rng.choice(_OPCODES)
        elif action == 4:
            parts[place:place] = [rng.choice(_OPCODES)]
        else:
            parts[place] = parts[place][:1] + insert_number(rng, parts[place][1:], others)
    return b"".join(parts)


def _opcode_starts(data: bytes) -> list[int]:
    starts = []
    try:
        for _, _, position in pickletools.genops(io.BytesIO(data)):
            starts.append(position or 0)
            if len(starts) > 20000:
                break
    except Exception:
        return starts
    return starts


def mutate_legacy_torch(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change one of the pickles that follow each other in torch's old format, or the numbers."""
    ends: list[int] = []
    position = 0
    while len(ends) < 5:
        try:
            file = io.BytesIO(data[position:])
            for _ in pickletools.genops(file):
                pass
        except Exception:
            break
        position += file.tell()
        ends.append(position)
    if not ends or rng.random() < 0.2:
        return rng.choice(BYTES)(rng, data, others)
    index = rng.randrange(len(ends))
    start, end = (ends[index - 1] if index else 0), ends[index]
    return data[:start] + mutate_pickle(rng, data[start:end], others) + data[end:]


def mutate_zip(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change the entries of an archive and write a valid one."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [(info.filename, archive.read(info)) for info in archive.infolist()[:50]]
    except Exception:
        return mutate_zip_directory(rng, data, others)
    if not entries:
        return data
    place = rng.randrange(len(entries))
    name, content = entries[place]
    action = rng.randrange(5)
    if action == 0:
        del entries[place]
    elif action == 1:
        entries[place] = (
            rng.choice((name.upper(), "../" + name, name + "/x", "a/data.pkl")),
            content,
        )
    elif action == 2:
        entries.append((name, rng.choice(BYTES)(rng, content, others)))
    elif action == 3 and name.endswith("data.pkl"):
        entries[place] = (name, mutate_pickle(rng, content, others))
    else:
        pickles = [i for i, (each, _) in enumerate(entries) if each.endswith("data.pkl")]
        place = rng.choice([*pickles, place])
        name, content = entries[place]
        mutate = mutate_pickle if name.endswith("data.pkl") else rng.choice(BYTES)
        entries[place] = (name, mutate(rng, content, others))
    kind = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    return _write_zip(entries, kind)


def _write_zip(entries: Sequence[tuple[str, bytes]], kind: int) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two entries of one name
        with zipfile.ZipFile(file, "w", kind) as archive:
            for name, content in entries:
                archive.writestr(name, content)
    return file.getvalue()


def mutate_zip_directory(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a number in a header of an entry, in the directory or in its end record."""
    marks = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07")
    places = [i for mark in marks for i in _find_all(data, mark)]
    if not places:
        return flip_bytes(rng, data, others)
    start = rng.choice(places) + rng.randrange(4, 46)
    return data[:start] + insert_number(rng, data[start : start + 8], others) + data[start + 8 :]


def _find_all(data: bytes, mark: bytes) -> list[int]:
    found: list[int] = []
    place = data.find(mark)
    while place >= 0 and len(found) < 100:
        found.append(place)
        place = data.find(mark, place + 1)
    return found


def mutate_safetensors(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change the JSON header of safetensors; its length is right, or it is changed as well."""
    (size,) = struct.unpack("<Q", data[:8].ljust(8, b"\0"))
    header, rest = data[8 : 8 + size], data[8 + size :]
    headers = [
        other[8 : 8 + struct.unpack("<Q", other[:8])[0]] for other in others if len(other) > 8
    ]
    changed = mutate_json(rng, header, headers)
    if rng.random() < 0.1:
        changed = rng.choice(BYTES)(rng, changed, headers)
    length = struct.pack("<Q", len(changed))
    if rng.random() < 0.1:
        length = insert_number(rng, length, others)[:8]
    return length + changed + rest


def mutate_png(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change the chunks of a PNG and write their checksums, so that decoders read them."""
    chunks: list[tuple[bytes, bytes]] = []
    position = 8
    while position + 12 <= len(data) and len(chunks) < 100:
        (size,) = struct.unpack(">I", data[position : position + 4])
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + size]))
        position += 12 + size
    if not chunks:
        return flip_bytes(rng, data, others)
    place = rng.randrange(len(chunks))
    kind, content = chunks[place]
    action = rng.randrange(6)
    if action == 0:
        del chunks[place]
    elif action == 1:
        chunks[place:place] = [chunks[place]] * rng.choice((1, 2, 50))
    elif action == 2:
        name = rng.choice((b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL", b"fdAT", b"eXIf", b"IDAT"))
        bomb = b"a\0\0" + zlib.compress(bytes(rng.choice((10, 1 << 16, 1 << 24))))
        chunks[place:place] = [(name, rng.choice((content, bomb, b"", rng.randbytes(30))))]
    elif action == 3 and kind == b"IDAT":
        chunks[place] = (kind, zlib.compress(rng.randbytes(rng.choice((0, 10, 5000)))))
    else:
        place = rng.choice((0, place))
        chunks[place] = (chunks[place][0], insert_number(rng, chunks[place][1], others))
    parts = [
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks
    ]
    return data[:8] + b"".join(parts)


def mutate_jpeg(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Drop, repeat, swap or change segments of a JPEG, above all its size."""
    segments: list[bytes] = []
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and len(segments) < 60:
        size = 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        segments.append(data[position : position + size])
        position += size
        if segments[-1][1] == 0xDA:
            break
    rest = data[position:]
    if not segments:
        return flip_bytes(rng, data, others)
    place = rng.randrange(len(segments))
    action = rng.randrange(5)
    if action == 0:
        del segments[place]
    elif action == 1:
        segments[place:place] = [segments[place]] * rng.choice((1, 2, 40))
    elif action == 2:
        other = rng.randrange(len(segments))
        segments[place], segments[other] = segments[other], segments[place]
    elif action == 3:
        frames = [i for i, s in enumerate(segments) if 0xC0 <= s[1] <= 0xCF and s[1] != 0xC4]
        place = rng.choice(frames or [place])
        segments[place] = segments[place][:4] + insert_number(rng, segments[place][4:], others)
    else:
        segments[place] = segments[place][:4] + flip_bytes(rng, segments[place][4:], others)
    if rng.random() < 0.3:
        rest = rng.choice(BYTES)(rng, rest, others)
    return data[:2] + b"".join(segments) + rest
