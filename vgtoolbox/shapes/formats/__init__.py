"""Writers of a generated dataset in the official format of each supported benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from vgtoolbox.shapes.formats.eevg_lists import write_eevg_lists
from vgtoolbox.shapes.formats.instancevg import write_instancevg
from vgtoolbox.shapes.formats.own_data import write_own_data
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
from vgtoolbox.shapes.formats.segllm import write_segllm
from vgtoolbox.shapes.formats.world_annotations import WorldAnnotations
from vgtoolbox.utils.atomic_file import put_folder, remove_leftovers, temporary_folder
from vgtoolbox.utils.choices import check_choice

Writer = Callable[[Path, WorldAnnotations], None]

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
        "plvl": write_eevg_lists,
        "segllm": write_segllm,
        "own": write_own_data,
    }
)
"""Format -> function that writes its folders into a folder."""


def write_formats(root: Path, names: Iterable[str]) -> list[Path]:
    """Add formats to the generated dataset at `root`; existing files of these formats are replaced.

    The dataset determines every byte.

    Args:
        root: Folder of the generated dataset.
        names: Formats to write, keys of `FORMATS`.

    Returns:
        The folders that were written.

    Raises:
        FileNotFoundError: There is no generated dataset at `root`.
    """
    world = WorldAnnotations.read(root)
    written = []
    for name in names:
        with temporary_folder(root / name) as folder:
            FORMATS[name](folder, world)
            for part in sorted(folder.iterdir()):
                remove_leftovers(root / part.name)
                put_folder(part, root / part.name)
                written.append(root / part.name)
    return written


def parse_formats(text: str) -> list[str]:
    """Return the formats of a comma-separated list; "all" means all formats.

    Raises:
        ValueError: A format does not exist.
    """
    names = list(FORMATS) if text == "all" else [name for name in text.split(",") if name]
    for name in names:
        check_choice("format", name, ("all", *FORMATS))
    return names
