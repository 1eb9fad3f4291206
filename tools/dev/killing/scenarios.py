"""Training, inference, preparation, tests and reports that are killed."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from killing.campaign import Fault, Scenario, compare_trees
from killing.forks import ForkedRun
from vgtoolbox.checkpoint import load_checkpoint
from vgtoolbox.engine.hooks.checkpoint import find_last_checkpoint

ROOT = Path(__file__).resolve().parents[3]
WEIGHTS = ROOT / "pretrain_weights" / "InstanceVG-tiny-shapes.safetensors"
EXPRESSIONS = ("the red circle", "every square", "the largest shape")
ITERATIONS = 16
_SHAPES = ("--num-train", "12", "--num-val", "2", "--num-test", "6", "--workers", "1")
_CONFIG = """
    _base_ = ["{base}"]
    train_dataloader = dict(
        batch_size=2,
        num_workers=0,
        persistent_workers=False,
        sampler=dict(_delete_=True, type="InfiniteSampler"),
    )
    val_dataloader = dict(batch_size=4, num_workers=0, dataset=dict(indices=8))
    test_dataloader = dict(batch_size=4, num_workers=0)
    train_cfg = dict(
        _delete_=True, type="IterBasedTrainLoop", max_iters={iterations}, val_interval=8
    )
    param_scheduler = [dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=10)]
    log_processor = dict(by_epoch=False)
    default_hooks = dict(
        checkpoint=dict(
            by_epoch=False, interval=2, max_keep_ckpts=3, save_best="gres/gIoU", rule="greater"
        ),
        logger=dict(interval=5),
        pictures=dict(num_samples=1),
    )
    visualizer = dict(vis_backends=[dict(type="LocalVisBackend")])
    device = "cpu"
"""
# Random weights are trained, so the model need not be that of the included weights. With a high
# learning rate and all candidates, the second validation is better than the first one.
_TRAINING = """
model = dict(
    backbone=dict(embed_dim=64, depth=2, ffn_dim=128),
    decoder=dict(num_layers=1),
    postprocessor=dict(score_thr=0.0),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
"""


def write_configs(folder: Path) -> None:
    """Write the configs of a short training and of a test of the miniature InstanceVG."""
    base = ROOT / "configs" / "shapes" / "InstanceVG-tiny-shapes.py"
    text = textwrap.dedent(_CONFIG).format(base=base.as_posix(), iterations=ITERATIONS)
    (folder / "test.py").write_text(text, encoding="utf-8")
    (folder / "train.py").write_text(text + _TRAINING, encoding="utf-8")


class Training(Scenario):
    """Training that is resumed with --resume; every checkpoint is compared, bit by bit."""

    def __init__(self, root: Path, *, processes: int = 1) -> None:
        super().__init__(root, processes=processes)
        self.name = f"train-{processes}"

    @property
    def _all_checkpoints(self) -> Path:
        """Work dir of an uninterrupted run that kept every checkpoint."""
        return self.root / f"{self.name}-every"

    def words(self, folder: Path) -> list[str]:
        """Return the training command."""
        words = ["train", str(self.root / "train.py"), "--work-dir", str(folder), "--resume"]
        if folder == self._all_checkpoints:
            words += ["--cfg-options", "default_hooks.checkpoint.max_keep_ckpts=-1"]
        return words

    def keep_all_checkpoints(self) -> ForkedRun:
        """Start the run that keeps every checkpoint for the comparison."""
        self.begin(self._all_checkpoints)
        return self.start(self._all_checkpoints)

    def faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare every checkpoint that exists with that of the same iteration."""
        found = []
        for path in sorted(folder.glob("*.pth")):
            iteration = path.stem.rpartition("_")[2]
            whole = self._all_checkpoints / f"iter_{iteration}.pth"
            found += _compare_checkpoints(path, whole, partial=True)
        last = find_last_checkpoint(folder)
        position = 0 if last is None else int(last.stem.rpartition("_")[2])
        record = folder / "position.txt"
        before = int(record.read_text()) if record.is_file() else 0
        if position < before or (last is not None and not last.is_file()):
            found.append(Fault("lost", f"{folder}: iteration {before}, resumes from {last}"))
        record.write_text(str(position))
        return found

    def final_faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare the checkpoints, and which of them were kept."""
        found = self.faults(folder, reference)
        kept, expected = ({p.name for p in f.glob("*.pth")} for f in (folder, reference))
        found += [Fault("lost", f"{folder / name}") for name in sorted(expected - kept)]
        found += [Fault("left over", f"{folder / name}") for name in sorted(kept - expected)]
        found += _compare_checkpoints(
            folder / f"iter_{ITERATIONS}.pth", reference / f"iter_{ITERATIONS}.pth"
        )
        return found


class Inference(Scenario):
    """Inference on a folder, with pictures and result files of other tools."""

    name = "infer"

    def words(self, folder: Path) -> list[str]:
        """Return the inference command."""
        return [
            *("infer", "--images", str(self.root / "shapes" / "images")),
            *("--expressions", *EXPRESSIONS, "--out", str(folder), "--device", "cpu"),
            *("--batch-size", "4", "--formats", "coco", "labelstudio", "--pictures"),
        ]

    def faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare the complete lines with the first ones of the file, and all other files."""
        name = "predictions.jsonl"
        expected = (reference / name).read_bytes().splitlines()
        log = folder / name
        *lines, _ = log.read_bytes().split(b"\n") if log.is_file() else [b""]
        found = []
        if len(set(lines)) < len(lines):
            found.append(Fault("doubled", f"{log} has a line twice"))
        if lines != expected[: len(lines)]:
            found.append(Fault("unequal", f"{log} differs in its first {len(lines)} lines"))
        others = compare_trees(folder, reference, partial=True)
        return found + [fault for fault in others if name not in fault.text]

    def final_faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare all files, byte by byte."""
        return self.faults(folder, reference) + list(compare_trees(folder, reference))


class Preparation(Scenario):
    """Generation of a dataset with all formats.

    Args:
        root: Folder of all outputs.
        overwrite: Whether another dataset is replaced.
    """

    def __init__(self, root: Path, *, overwrite: bool) -> None:
        super().__init__(root)
        self.overwrite = overwrite
        self.name = "prepare-overwrite" if overwrite else "prepare-formats"

    def words(self, folder: Path) -> list[str]:
        """Return the preparation command."""
        words = ["data", "shapes", "--out", str(folder / "data"), *_SHAPES, "--formats", "all"]
        return [*words, "--overwrite"] if self.overwrite else words

    def begin(self, folder: Path) -> None:
        """Generate the dataset that is replaced."""
        super().begin(folder)
        if not self.overwrite:
            return
        words = ["data", "shapes", "--out", str(folder / "data"), *_SHAPES, "--seed", "1"]
        log = self.root / f"{self.name}.log"
        for target in (folder, folder.with_name(f"{self.name}-old")):
            if not (target / "data").exists():
                words[3] = str(target / "data")
                target.mkdir(exist_ok=True)
                codes = ForkedRun(words, log=log, environment={}).wait(600)
                if codes != [0]:
                    raise RuntimeError(f"the dataset to be replaced is not written; see {log}")

    def watched(self, folder: Path) -> list[Path]:
        """Return the dataset's folder and the one that contains it."""
        return [folder, folder / "data"]

    def faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Check that the old dataset or the new one is complete, with any of its formats."""
        data = folder / "data"
        if not data.exists():
            lost = [Fault("lost", f"{data} is gone")]
            return lost if self.overwrite else []
        old = folder.with_name(f"{self.name}-old") / "data"
        if self.overwrite and not list(compare_trees(data, old)):
            return []
        plain = {path.name for path in (self.root / "shapes").iterdir()}
        missing = [name for name in plain if not (data / name).exists()]
        faults = [Fault("torn", f"{data / name} is missing") for name in missing]
        return faults + list(compare_trees(data, reference / "data", partial=True))

    def final_faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare all files, byte by byte."""
        return list(compare_trees(folder, reference))


class Reports(Scenario):
    """A test, or the scoring of its predictions, repeated in the same folder.

    Args:
        root: Folder of all outputs.
        command: "test", "eval" or "errors".
    """

    is_exclusive = False

    def __init__(self, root: Path, *, command: str) -> None:
        super().__init__(root)
        self.command = self.name = command

    def words(self, folder: Path) -> list[str]:
        """Return the command."""
        config = str(self.root / "test.py")
        if self.command == "test":
            words = ["test", config, "--load-from", str(WEIGHTS), "--out", str(folder / "out")]
            return [*words, "--cfg-options", f"work_dir={self.root / 'test-log'}"]
        predictions = self.root / "test-reference" / "out" / "grefs_test" / "predictions.jsonl"
        words = [self.command, str(predictions), "--config", config, "--split", "grefs_test"]
        if self.command == "errors":
            return [*words, "--out", str(folder / "out"), "--worst", "4"]
        out = folder / "out"
        return [*words, "--out", str(out / "metrics.json"), "--rows", str(out / "rows.csv")]

    def watched(self, folder: Path) -> list[Path]:
        """Return the folders of the files."""
        return [folder / "out", folder / "out" / "grefs_test", folder / "out" / "refs_test"]

    def faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare the files that exist, byte by byte; the time in a report differs."""
        return list(self._compare(folder, reference, partial=True))

    def final_faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare all files."""
        return list(self._compare(folder, reference, partial=False))

    def _compare(self, folder: Path, reference: Path, *, partial: bool) -> Iterator[Fault]:
        for fault in compare_trees(folder, reference, partial=partial):
            if "metrics.json differs" not in fault.text:
                yield fault
        reports = [where / "out" / "metrics.json" for where in (folder, reference)]
        if not all(path.is_file() for path in reports):
            return
        try:
            found, expected = (json.loads(path.read_text()) for path in reports)
        except ValueError as error:
            yield Fault("torn", f"{reports[0]}: {error}")
            return
        if {**found, "seconds": 0} != {**expected, "seconds": 0}:
            yield Fault("unequal", f"{reports[0]} differs")


def _compare_checkpoints(path: Path, reference: Path, *, partial: bool = False) -> list[Fault]:
    """Compare weights, optimizer, schedule, position and validation metrics, bit by bit.

    Args:
        path: Checkpoint to compare.
        reference: Checkpoint of the uninterrupted run.
        partial: Whether the metrics of the last validation may be missing, since a checkpoint is
            saved before the validation of its weights, and again after it. A best checkpoint
            contains weights only.
    """
    if not reference.is_file():
        return [Fault("left over", f"{path} is not a checkpoint of the uninterrupted run")]
    try:
        found = _state(path)
    except Exception as error:  # whatever makes it unreadable
        return [Fault("torn", f"{path}: {error}")]
    expected = _state(reference)
    keys = expected.keys() | found.keys()
    if partial:
        keys = {
            key
            for key in keys
            if key in found or not (key.startswith("val.") or path.name.startswith("best_"))
        }
        for key in keys & expected.keys():
            if key.startswith("val."):
                expected[key] = expected[key][: len(found[key])]
    different = [key for key in keys if not _equal(expected, found, key)]
    return [Fault("unequal", f"{path}: {key}") for key in sorted(different)[:3]]


def _state(path: Path) -> dict[str, Any]:
    checkpoint = load_checkpoint(path)
    values: dict[str, Any] = {}
    for part in ("state_dict", "optimizer", "param_schedulers"):
        _flatten(checkpoint.get(part), part, values)
    values["position"] = [checkpoint["meta"][key] for key in ("epoch", "iter", "seed")]
    scalars = checkpoint["message_hub"]["log_scalars"]
    _flatten({key: scalars[key] for key in scalars if key.startswith("val/gre")}, "val", values)
    return values


def _flatten(value: Any, name: str, into: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for key, part in value.items():
            _flatten(part, f"{name}.{key}", into)
    elif isinstance(value, (list, tuple)):
        for key, part in enumerate(value):
            _flatten(part, f"{name}.{key}", into)
    else:
        into[name] = value


def _equal(expected: dict[str, Any], found: dict[str, Any], key: str) -> bool:
    one, other = expected.get(key), found.get(key)
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and one == other
