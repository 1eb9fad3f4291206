"""Show a progress bar with the remaining time on a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vgtoolbox.registry import HOOKS


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show the progress of training, validation and test if the output is a terminal.

    Log lines are printed above the bar. Without a terminal there are only log lines.

    Args:
        console: Console to draw on. If `None`, the standard output is used.
    """

    priority = "LOW"

    def __init__(self, *, console: Console | None = None) -> None:
        self.console = console or Console()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._restore: list[Callable[[], object]] = []

    def before_run(self, runner: Runner) -> None:
        """Start the bar and redirect the log lines to print above it."""
        if self._progress is not None or not (self.console.is_terminal and is_main_process()):
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
        )
        for handler in runner.logger.handlers:
            if type(handler) is logging.StreamHandler:
                stream = handler.setStream(FileProxy(self.console, sys.stdout))
                self._restore.append(partial(handler.setStream, stream))
        self._progress.start()

    def before_train(self, runner: Runner) -> None:
        """Start to count the iterations of the whole training, from the resumed one."""
        self._begin("train", runner.max_iters, completed=runner.iter)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Advance by one iteration."""
        loss = (outputs or {}).get("loss")
        note = "" if loss is None else f"loss {loss.item():.3f}"
        self._advance("train", runner.iter + 1, note=f"epoch {runner.epoch + 1}  {note}")

    def before_val_epoch(self, runner: Runner) -> None:
        """Start to count the batches of a validation."""
        self._begin("val", len(runner.val_dataloader))

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Advance by one batch."""
        self._advance("val", batch_idx + 1)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Remove the bar of the validation."""
        self._end("val")

    def before_test_epoch(self, runner: Runner) -> None:
        """Start to count the batches of a test."""
        self._begin("test", len(runner.test_dataloader))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Advance by one batch."""
        self._advance("test", batch_idx + 1)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Remove the bar of the test."""
        self._end("test")

    def after_run(self, runner: Runner) -> None:
        """Stop the progress display and restore the stream of the log."""
        self.close()

    def close(self) -> None:
        """Stop the progress display; do nothing if it is not running."""
        if self._progress is not None:
            self._progress.stop()
        for restore in self._restore:
            restore()
        self._progress, self._tasks, self._restore = None, {}, []

    def _begin(self, name: str, total: int, *, completed: int = 0) -> None:
        if self._progress is not None:
            self._end(name)
            self._tasks[name] = self._progress.add_task(
                name, total=total, completed=completed, note=""
            )

    def _advance(self, name: str, completed: int, *, note: str = "") -> None:
        if self._progress is not None and name in self._tasks:
            self._progress.update(self._tasks[name], completed=completed, note=note)

    def _end(self, name: str) -> None:
        if self._progress is not None and name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))
