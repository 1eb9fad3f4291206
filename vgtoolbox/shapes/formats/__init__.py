"""Twins: the generated world once more in the official format of each benchmark we read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from vgtoolbox.shapes.formats.conversations import write_segllm
from vgtoolbox.shapes.formats.instancevg import write_instancevg
from vgtoolbox.shapes.formats.own_data import write_own_data
from vgtoolbox.shapes.formats.phrase_lists import write_phrase_lists
from vgtoolbox.shapes.formats.reasonseg import write_reasonseg
from vgtoolbox.shapes.formats.refs import (
    write_fprefcoco,
    write_grefcoco,
    write_refclef,
    write_refcoco_plus,
    write_refcocog,
    write_refzom,
    write_rrefcoco,
)
from vgtoolbox.shapes.formats.tables import WorldTables
from vgtoolbox.utils.atomic_file import put_folder

Writer = Callable[[Path, WorldTables], None]

FORMATS: Final[Mapping[str, Writer]] = MappingProxyType(
    {
        "refcoco+": write_refcoco_plus,
        "refcocog": write_refcocog,
        "refclef": write_refclef,
        "grefcoco": write_grefcoco,
        "refzom": write_refzom,
        "rrefcoco": write_rrefcoco,
        "fprefcoco": write_fprefcoco,
        "reasonseg": write_reasonseg,
        "instancevg": write_instancevg,
        "plvl": write_phrase_lists,
        "segllm": write_segllm,
        "own": write_own_data,
    }
)
"""Format -> what writes its folders into a folder."""


def write_formats(root: Path, names: Iterable[str]) -> list[Path]:
    """Write further formats into the generated world at `root`, in the place of older ones.

    The world decides every byte.

    Returns:
        The folders that were written.
    """
    tables = WorldTables.read(root)
    written = []
    for name in names:
        folder = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
        try:
            FORMATS[name](folder, tables)
            for part in sorted(folder.iterdir()):
                put_folder(part, root / part.name)
                written.append(root / part.name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return written


def parse_formats(text: str) -> list[str]:
    """Read names of formats with commas between them; "all" is all of them.

    Raises:
        ValueError: There is no such format.
    """
    names = list(FORMATS) if text == "all" else [name for name in text.split(",") if name]
    for name in names:
        if name not in FORMATS:
            raise ValueError(f"{name!r} is no format; there are: all, {', '.join(FORMATS)}")
    return names
