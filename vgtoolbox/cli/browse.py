"""Draw samples of a config with boxes and masks after each step of their pipeline."""

from __future__ import annotations

import argparse
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vgtoolbox.datasets.transforms.tracing import Snapshot, trace_pipeline
from vgtoolbox.engine import ConfigError, load_config, parse_options
from vgtoolbox.engine.runner import choose_splits
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.text import encode_text
from vgtoolbox.visualization.image_file import save_image
from vgtoolbox.visualization.image_strip import StripEntry, draw_image_strip
from vgtoolbox.visualization.overlay import Overlay

STYLE = """body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem; color: #222 }
img { max-width: 100%; border: 1px solid #ddd } code { color: #555 }"""


def dataset_config(cfg: Any, split: str) -> Mapping[str, Any]:
    """Return the dataset config of `train`, `val` or a split in `test_splits`."""
    if split in ("train", "val") and split not in cfg.get("test_splits", {}):
        if f"{split}_dataloader" not in cfg:
            raise ConfigError(f"{cfg.filename} has no {split}_dataloader; choose another --split")
        return cfg[f"{split}_dataloader"]["dataset"]
    return choose_splits(cfg, [split])[split]["dataset"]


def strip_entries(snapshots: Sequence[Snapshot]) -> list[StripEntry]:
    """Draw each snapshot that differs from the previous one; list the other steps below it."""
    groups: list[list[Snapshot]] = []
    for snapshot in snapshots:
        if groups and snapshot.looks_like(groups[-1][-1]):
            groups[-1].append(snapshot)
        else:
            groups.append([snapshot])
    return [_strip_entry(group) for group in groups]


def _strip_entry(group: Sequence[Snapshot]) -> StripEntry:
    last = group[-1]
    size = (last.image.shape[1], last.image.shape[2])
    overlay = Overlay.empty(size)
    if last.targets is not None:
        overlay = Overlay.from_targets(last.targets, size)
    words = [f"{size[1]} x {size[0]}"]
    words += [f"{name} {value}" for name, value in last.notes.items()]
    words += ["then " + ", ".join(s.step for s in group[1:])] if group[1:] else []
    words += [f"“{last.expression}”"] if last.expression else []
    image = last.image.permute(1, 2, 0).contiguous().numpy()
    return StripEntry(title=group[0].step, image=image, overlay=overlay, text="\n".join(words))


def write_page(folder: Path, title: str, entries: Sequence[Mapping[str, str]]) -> Path:
    """Write `index.html`, which shows the pictures of a folder, and return its path."""
    sections = [
        f"<section><h2>{html.escape(entry['name'])}</h2><p>{html.escape(entry['words'])}</p>"
        f'<img src="{html.escape(entry["file"])}" alt="{html.escape(entry["words"])}"></section>'
        for entry in entries
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    body = f"<h1>{html.escape(title)}</h1>{''.join(sections)}"
    path = folder / "index.html"
    page = f'<!doctype html><html lang="en">{head}{body}</html>\n'
    with atomic_file(path) as file:
        file.write(encode_text(page))
    return path


def run(arguments: argparse.Namespace) -> None:
    """Draw the chosen samples and write the page that shows them."""
    cfg = load_config(arguments.config, parse_options(arguments.cfg_options))
    dataset = DATASETS.build(dict(dataset_config(cfg, arguments.split)))
    dataset.set_epoch(arguments.epoch)
    chosen = np.random.default_rng(arguments.seed).permutation(len(dataset))[: arguments.num]
    arguments.out.mkdir(parents=True, exist_ok=True)
    entries = []
    for index in sorted(chosen.tolist()):
        record = dataset.get_data_info(index)
        sheet = draw_image_strip(
            strip_entries(trace_pipeline(dataset, index)), columns=arguments.columns
        )
        file = f"{index:06d}.png"
        save_image(sheet, arguments.out / file)
        entry = {"name": record["sample_id"], "words": " · ".join(record["expressions"])}
        entries.append({**entry, "file": file})
    title = f"{arguments.config}, {arguments.split}, epoch {arguments.epoch}"
    print(write_page(arguments.out, title, entries))
