"""Save checkpoints such that a training can be killed at any time without loss."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast, is_main_process
from mmengine.fileio import get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from vgtoolbox.checkpoint.io import CheckpointError
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.registry import HOOKS
from vgtoolbox.utils.atomic_file import atomic_file

_VALIDATED = "last_validation"


class UnknownMetricError(ConfigError, KeyError):
    """The validation has no such metric."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # a `KeyError` quotes its message


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, safe against being killed at any time.

    Upstream removes an old checkpoint before it writes the new one, names the latest one in a file
    that it writes in place, and skips the validation of the last epoch if the run was killed
    between the checkpoint and the end of that validation. Arguments are those of upstream.
    """

    out_dir: str
    keep_ckpt_ids: deque[int]
    last_ckpt: str | None

    def before_train(self, runner: Runner) -> None:
        """Run the validation that an interrupted run did not finish."""
        self._restore(runner)
        loop = runner.train_loop
        position = runner.epoch if self.by_epoch else runner.iter
        end = loop.max_epochs if self.by_epoch else loop.max_iters
        pending = (
            runner.val_loop is not None
            and position >= max(loop.val_begin, 1)
            and (position % loop.val_interval == 0 or position == end)
            and runner.message_hub.get_info(_VALIDATED) != position
        )
        if pending:
            runner.logger.info(f"validating the checkpoint of {self._unit} {position} first")
            runner.val_loop.run()

    def before_val_epoch(self, runner: Runner) -> None:
        """Give all processes the buffers of the first one, which its checkpoints contain.

        Otherwise the other processes validate with running means of their own, which a resumed run
        does not have.
        """
        for buffer in runner.model.buffers():
            broadcast(buffer)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and note that this position has been validated."""
        unknown = [key for key in self.save_best or () if key not in {"auto", *metrics}]
        if unknown:
            raise UnknownMetricError(
                f"save_best must be a metric of the validation, got {unknown[0]!r}; "
                f"its metrics: {', '.join(sorted(metrics))}"
            )
        position = runner.epoch if self.by_epoch else runner.iter
        runner.message_hub.update_info(_VALIDATED, position)
        super().after_val_epoch(runner, metrics)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint with upstream's code, and remove the previous one afterwards."""
        before = self._best_paths()
        self._set_best_paths(dict.fromkeys(before))
        super()._save_best_checkpoint(runner, metrics)
        after = {key: path or before.get(key) for key, path in self._best_paths().items()}
        self._set_best_paths(after)
        for path in set(before.values()) - set(after.values()):
            self._remove(path)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Save the checkpoint, record it as the latest, and only then remove the oldest."""
        obsolete = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            self.keep_ckpt_ids.append(step)
            while len(self.keep_ckpt_ids) > self.max_keep_ckpts:
                obsolete.append(self.keep_ckpt_ids.popleft())
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = str(Path(self.out_dir) / filename)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
        )
        if is_main_process():
            with atomic_file(Path(runner.work_dir) / "last_checkpoint") as file:
                file.write(os.fsencode(self.last_ckpt))
        for old in obsolete:
            self._remove(str(Path(self.out_dir) / self.filename_tmpl.format(old)))

    def _restore(self, runner: Runner) -> None:
        """Restore the checkpoint names of an interrupted run, without upstream's warning."""
        self.out_dir = self.out_dir or runner.work_dir
        self.file_client_args = None
        self.file_backend = get_file_backend(self.out_dir)
        hub = runner.message_hub
        single = len(self.save_best or ()) == 1
        self._set_best_paths(
            {
                key: hub.get_info("best_ckpt" if single else f"best_ckpt_{key}")
                for key in self.save_best or ()
            }
        )
        self.keep_ckpt_ids = deque(hub.get_info("keep_ckpt_ids", ()))
        # A validation that found a new best checkpoint is noted in the last checkpoint. Upstream
        # forgets its name, so that the validation after a resumption was not.
        last = hub.get_info("last_ckpt")
        self.last_ckpt = str(Path(self.out_dir) / Path(last).name) if last else None
        runner.logger.info(f"checkpoints are saved to {self.out_dir}")

    @property
    def _unit(self) -> str:
        return "epoch" if self.by_epoch else "iteration"

    def _best_paths(self) -> dict[str, str | None]:
        """Return the file of the best checkpoint for each metric in `save_best`."""
        if not self.save_best:
            return {}
        if len(self.key_indicators) == 1:
            return {self.key_indicators[0]: self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, str | None]) -> None:
        if len(paths) == 1:
            (self.best_ckpt_path,) = paths.values()
        elif paths:
            self.best_ckpt_path_dict = paths

    @staticmethod
    def _remove(path: str | None) -> None:
        if path and is_main_process():
            Path(path).unlink(missing_ok=True)


def find_last_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the latest checkpoint of a work dir, even if the folder has been moved.

    Raises:
        CheckpointError: The file `last_checkpoint` names none.
    """
    pointer = Path(work_dir) / "last_checkpoint"
    if not pointer.is_file():
        return None
    named = Path(os.fsdecode(pointer.read_bytes().strip()))
    if not named.name:
        raise CheckpointError(
            f"{pointer} must name a checkpoint, got {str(named)!r}; name one with --resume CKPT"
        )
    sibling = pointer.with_name(named.name)
    return sibling if sibling.is_file() else named
