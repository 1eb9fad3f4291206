"""Adapt mmengine 0.10.7, which is frozen upstream, to current torch and to exact resumption.

Each adaptation documents the upstream behavior that it replaces. Five more are separate parts:
`device.process_group` (gloo on a CPU), `AutocastOptimWrapper` (mixed precision on a CPU),
`MergedGroupsConstructor`, `ResumableCheckpointHook` and `message_hub`.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast, get_world_size, is_main_process, master_only
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel, is_model_wrapper, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from mmengine.utils import apply_to, manager
from torch import Tensor, nn
from torch.utils.data import DataLoader

from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.checkpoint.embedded_files import METADATA_KEY, pack_files, tokenizer_files
from vgtoolbox.checkpoint.errors import CheckpointError
from vgtoolbox.checkpoint.io import load_checkpoint, save_checkpoint
from vgtoolbox.checkpoint.sharded import ShardedState
from vgtoolbox.checkpoint.strict import load_state_dict_strict, to_model_layout
from vgtoolbox.checkpoint.tokenizer_digests import DIGESTS_KEY, tokenizer_digests
from vgtoolbox.engine.building import ExplainingRunner
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.engine.device import choose_device
from vgtoolbox.engine.fixed_batches import with_fixed_batches
from vgtoolbox.engine.message_hub import deserialize_message_hub, serialize_message_hub
from vgtoolbox.engine.rank_watch import RankWatch
from vgtoolbox.engine.resume_rules import Change
from vgtoolbox.engine.resume_state import (
    parameter_names,
    replay_schedulers,
    state_for_new_settings,
)
from vgtoolbox.engine.sharding import (
    FullySharded,
    gather_full_tensors,
    is_sharded,
    shard_like,
    shard_optimizer_state,
)
from vgtoolbox.registry import FUNCTIONS, RUNNERS
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.text import encode_text
from vgtoolbox.version import __version__


def accumulated_gradients(model: nn.Module, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
    """Return the accumulated gradients that are not part of an optimizer step yet.

    Upstream drops them when it saves in the middle of an accumulation (if the number of iterations
    per epoch is not divisible by `accumulative_counts`), and warns on resume that the result will
    differ.
    """
    if optim_wrapper.should_update():
        return {}
    return {
        name: parameter.grad.cpu()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def is_for_console(record: logging.LogRecord) -> bool:
    """Return whether a log record is shown on the console in addition to the log file.

    Upstream's Runner logs the environment, the whole config and the hooks, several hundred lines,
    before anything happens. These messages have several lines and are below the level of warnings.
    """
    long = "\n" in record.getMessage().strip()
    return not (
        long and record.levelno < logging.WARNING and record.pathname == inspect.getfile(Runner)
    )


@contextmanager
def release_manager_lock() -> Iterator[None]:
    """Release the global lock of mmengine if the body fails.

    `ManagerMixin.get_instance` keeps it if a constructor raises, e.g. that of a logger whose file
    cannot be written. All other threads that use a registry would then wait forever.
    """
    try:
        yield
    except BaseException:
        while manager._lock._is_owned():
            manager._lock.release()
        raise


@RUNNERS.register_module()
class GroundingRunner(ExplainingRunner):
    """mmengine's Runner with checkpoints that are plain, atomic, strict and resume exactly.

    Upstream's `save_checkpoint` pickles objects and writes in place; its `load_checkpoint` accepts
    any weights and only logs the differences; its `wrap_model` passes GPU numbers to a CPU model.
    The device is the config's `device` (default "auto").
    """

    optim_wrapper: Any
    watch: RankWatch | None = None
    """Watch over the other processes, which notes the progress of this one."""
    changes: Sequence[Change] = ()
    """Settings that differ from those of the checkpoint to resume from."""
    _val_dataloader: Any
    _val_evaluator: Any

    def call_hook(self, fn_name: str, **arguments: Any) -> None:
        """Call all hooks (signature of upstream), and note the progress of this process."""
        if self.watch is None:
            super().call_hook(fn_name, **arguments)
            return
        self.watch.advance()
        super().call_hook(fn_name, **arguments)
        self.watch.advance()  # a process may hang in a hook

    @property
    def bare_model(self) -> nn.Module:
        """The model without its distributed wrapper."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    @cached_property
    def tokenizers(self) -> dict[str, Any]:
        """Entries of the meta data of a checkpoint: its tokenizer files, and all digests."""
        config = self.cfg.to_dict()
        files = [file for file in tokenizer_files(config) if Path(file).is_file()]
        packed = {METADATA_KEY: pack_files(files)} if files else {}
        digests = tokenizer_digests(config)
        return packed | ({DIGESTS_KEY: digests} if digests else {})

    @cached_property
    def config_text(self) -> str:
        """The resolved config as Python source, with pipelines in their original order."""
        return write_config_text(self.cfg.to_dict())

    def build_logger(
        self, log_level: int | str = "INFO", log_file: str | None = None, **options: Any
    ) -> MMLogger:
        """Build the logger; long messages of upstream go only to the log file."""
        logger = super().build_logger(log_level, log_file, **options)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(is_for_console)
        return logger

    def _log_env(self, env_cfg: dict) -> None:
        super()._log_env(env_cfg)
        self.logger.info(f"environment, config and hooks are listed in {self.logger.log_file}")

    @master_only
    def dump_config(self) -> None:
        """Write the resolved config to the work dir; upstream sorts the steps of a pipeline."""
        name = Path(self.cfg.filename).name if self.cfg.filename else f"{self.timestamp}.py"
        with atomic_file(Path(self.work_dir, name)) as file:
            file.write(encode_text(self.config_text))

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Move the model to its device and, with several processes, distribute it."""
        device = choose_device(self.cfg.get("device", "auto"))
        settings = dict(model_wrapper_cfg or {})
        wrapper = settings.pop("type", MMDistributedDataParallel.__name__)
        if self.distributed and wrapper == FullySharded.__name__:
            return FullySharded(**settings)(model, device)  # the model may not fit on one device
        model = model.to(device)
        if not self.distributed:
            return revert_sync_batchnorm(model)
        if wrapper != MMDistributedDataParallel.__name__ or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        return MMDistributedDataParallel(
            module=model,
            device_ids=None if device.type == "cpu" else [device.index],
            broadcast_buffers=settings.pop("broadcast_buffers", False),
            find_unused_parameters=settings.pop(
                "find_unused_parameters", self.cfg.get("find_unused_parameters", False)
            ),
            **settings,
        )

    def _init_model_weights(self) -> None:
        """Initialize the weights; upstream overwrites all shards with those of process 0."""
        if not is_sharded(self.model):
            super()._init_model_weights()
            return
        self.model.init_weights()
        for tensor in self.model.buffers():
            broadcast(tensor)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a data loader; upstream looks up functions in its own registry only."""
        if isinstance(dataloader, dict):
            dataloader = dict(dataloader)
            for key in ("collate_fn", "worker_init_fn"):
                function = dataloader.get(key)
                if isinstance(function, dict) and isinstance(function["type"], str):
                    dataloader[key] = {**function, "type": FUNCTIONS.get(function["type"])}
        return Runner.build_dataloader(dataloader, seed, diff_rank_seed)

    def get_hooks_info(self) -> str:
        """List the hooks, one per line; upstream repeats them for every stage of a run."""
        return "\n".join(f"    {type(hook).__name__} ({hook.priority})" for hook in self.hooks)

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """Write the state of the training atomically (signature of upstream)."""
        # All processes take part in gathering sharded weights and optimizer states.
        weights = gather_full_tensors(dict(self.bare_model.state_dict()))
        optimizer = gather_full_tensors(self.optim_wrapper.state_dict()) if save_optimizer else None
        gradients = gather_full_tensors(accumulated_gradients(self.bare_model, self.optim_wrapper))
        if not is_main_process():
            return
        checkpoint: dict[str, Any] = {
            "meta": self._describe_position(meta, by_epoch=by_epoch),
            "config": self.config_text,
            "state_dict": weights,
            "message_hub": serialize_message_hub(self.message_hub.state_dict()),
        }
        if optimizer is not None:
            checkpoint["optimizer"] = optimizer
            checkpoint["optimizer_parameters"] = parameter_names(
                self.bare_model, self.optim_wrapper.optimizer
            )
            if gradients:
                checkpoint["gradients"] = gradients
        if save_param_scheduler and self.param_schedulers is not None:
            checkpoint["param_schedulers"] = [
                scheduler.state_dict() for scheduler in self.param_schedulers
            ]
        self.call_hook("before_save_checkpoint", checkpoint=checkpoint)
        checkpoint = apply_to(checkpoint, lambda x: isinstance(x, Tensor), lambda x: x.cpu())
        save_checkpoint(checkpoint, Path(out_dir) / filename)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str = "cpu",
        strict: bool = True,
        revise_keys: list | None = None,
    ) -> dict[str, Any]:
        """Load all weights from a checkpoint in any known layout (signature of upstream)."""
        checkpoint = load_checkpoint(filename)
        model = self.bare_model
        layout = ""
        # Sharded folders are streamed; hooks do not see them.
        if not isinstance(checkpoint["state_dict"], ShardedState):
            checkpoint["state_dict"], layout = to_model_layout(
                checkpoint["state_dict"], model, source=str(filename)
            )
            # Hooks may exchange weights here: EMA keeps those that training continues with.
            self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        report = load_state_dict_strict(
            model,
            checkpoint["state_dict"],
            source=str(filename),
            config_text=checkpoint.get("config", ""),
        )
        self._has_loaded = True
        self.logger.info(
            f"{filename}: {len(report.matched)} weights loaded, all matched "
            f"(layout of {layout or report.layout})"
        )
        return checkpoint

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str = "default",
    ) -> None:
        """Resume a training exactly from a checkpoint (signature of upstream).

        If `changes` contains settings of the optimizer or its schedule, the new settings hold, with
        the weights and the moments of the checkpoint.
        """
        checkpoint = self.load_checkpoint(filename)
        if "optimizer" not in checkpoint:
            raise ConfigError(
                f"{filename} has weights but no optimizer (a best or a released checkpoint), so "
                "training cannot resume from it exactly; start from its weights with --load-from"
            )
        try:
            self._restore(checkpoint)
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"{filename} has no complete state of a training ({type(error).__name__}: "
                f"{error}), so training cannot resume from it; start from its weights with "
                "--load-from"
            ) from error
        self.logger.info(f"resumed after epoch {self.epoch}, iteration {self.iter}")

    def _restore(self, checkpoint: dict[str, Any]) -> None:
        """Restore everything except the weights from a checkpoint."""
        is_changed = self._set_position(checkpoint["meta"])
        is_changed |= any(change.rule.is_schedule for change in self.changes)
        self.message_hub.load_state_dict(deserialize_message_hub(checkpoint["message_hub"]))
        self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        state = checkpoint["optimizer"]
        if is_changed:
            names = checkpoint.get("optimizer_parameters")
            state = state_for_new_settings(state, names, self.bare_model, self.optim_wrapper)
        self.optim_wrapper.load_state_dict(
            shard_optimizer_state(self.optim_wrapper.optimizer, state)
        )
        for name, parameter in self.bare_model.named_parameters():
            gradient = checkpoint.get("gradients", {}).get(name)
            if gradient is not None:
                gradient = shard_like(gradient.to(parameter.device), parameter)
            parameter.grad = gradient
        schedulers = self.param_schedulers or []
        if is_changed:
            replay_schedulers(schedulers, epochs=self.epoch, iters=self.iter)
        else:
            states = checkpoint.get("param_schedulers", [])
            for scheduler, state in zip(schedulers, states, strict=True):
                scheduler.load_state_dict(state)

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the validation, whose batches do not depend on the number of processes."""
        if isinstance(loop, dict):
            self._val_evaluator = self.build_evaluator(self._val_evaluator)
            self._val_dataloader = with_fixed_batches(self._val_dataloader, self._val_evaluator)
        return super().build_val_loop(loop)

    def test_split(self, dataloader: dict, evaluator: list[dict], loop: dict) -> dict[str, float]:
        """Test on another split; upstream has exactly one per Runner."""
        self._test_evaluator = self.build_evaluator(evaluator)
        self._test_dataloader = with_fixed_batches(dataloader, self._test_evaluator)
        self._test_loop = self.build_test_loop(loop)
        return self._test_loop.run()

    def _describe_position(self, meta: dict | None, *, by_epoch: bool) -> dict[str, Any]:
        """Return the position in the training, after the epoch or iteration that just ended."""
        position = {
            "epoch": self.epoch + 1 if by_epoch else self.epoch,
            "iter": self.iter if by_epoch else self.iter + 1,
        }
        return {
            **position,
            **(meta or {}),
            "seed": self.seed,
            "world_size": get_world_size(),
            "iters_per_epoch": len(self.train_dataloader),
            "experiment_name": self.experiment_name,
            "time": time.strftime("%Y%m%d_%H%M%S"),
            "vgtoolbox_version": __version__,
            **self.tokenizers,
        }

    def _set_position(self, meta: dict[str, Any]) -> bool:
        """Continue after the epoch or iteration of a checkpoint.

        If an epoch now has another number of iterations, the position is counted in epochs.

        Returns:
            Whether the number of iterations differs.
        """
        loop = self.train_loop
        loop._epoch, loop._iter = meta["epoch"], meta["iter"]
        before, now = meta.get("iters_per_epoch"), len(self.train_dataloader)
        if not isinstance(loop, EpochBasedTrainLoop) or before in (None, now):
            return False
        loop._iter = loop._epoch * now
        self.logger.warning(
            f"an epoch has {now} iterations instead of {before}: epoch {loop._epoch} ends at "
            f"iteration {loop._iter} instead of {meta['iter']}"
        )
        return True
