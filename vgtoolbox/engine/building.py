"""Turn errors of objects that a config builds into errors that name the section."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.runner import Runner

from vgtoolbox.engine.config import ConfigError

_WRONG_VALUES = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def building(section: str) -> Iterator[None]:
    """Raise a `ConfigError` if an object of the config cannot be built in the block.

    Constructors, also those of other libraries, report wrong values with built-in exceptions.
    Errors of our own name the cause and pass unchanged.

    Args:
        section: Keys of the config, for the message.

    Raises:
        ConfigError: A built-in exception was raised; it is the cause.
    """
    try:
        yield
    except _WRONG_VALUES as error:
        if type(error).__module__ != "builtins":
            raise
        name = _failed_class(error)
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        raise ConfigError(
            f"{section} of the config cannot be built: {f'{name}: ' if name else ''}"
            f"{type(error).__name__}: {' '.join(text.split())}; check its values"
        ) from error


class ExplainingRunner(Runner):
    """mmengine's Runner with errors that name the section of the config (signatures of upstream).

    Upstream builds most parts when the training starts, and passes on whatever a constructor
    raises.
    """

    def build_model(self, model: Any) -> Any:
        """Build the model."""
        with building("model"):
            return super().build_model(model)

    def build_train_loop(self, loop: Any) -> Any:
        """Build the loop of the training with its data loader."""
        if isinstance(loop, Mapping):
            check_loop(loop)
        with building("train_dataloader or train_cfg"):
            return super().build_train_loop(loop)

    def build_val_loop(self, loop: Any) -> Any:
        """Build the loop of the validation with its data loader."""
        with building("val_dataloader, val_evaluator or val_cfg"):
            return super().build_val_loop(loop)

    def build_test_loop(self, loop: Any) -> Any:
        """Build the loop of the test with its data loader."""
        with building("test_dataloader, test_splits or test_cfg"):
            return super().build_test_loop(loop)

    def build_evaluator(self, evaluator: Any) -> Any:
        """Build the evaluator."""
        with building("an evaluator"):
            return super().build_evaluator(evaluator)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the optimizer and its wrapper."""
        with building("optim_wrapper"):
            return super().build_optim_wrapper(optim_wrapper)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedulers of the learning rate."""
        with building("param_scheduler"):
            return super().build_param_scheduler(scheduler)

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate by the batch size."""
        with building("auto_scale_lr"):
            super().scale_lr(optim_wrapper, auto_scale_lr)

    def register_hooks(self, default_hooks: Any = None, custom_hooks: Any = None) -> None:
        """Build the hooks."""
        with building("default_hooks or custom_hooks"):
            super().register_hooks(default_hooks, custom_hooks)

    def _maybe_compile(self, target: str) -> None:
        with building("compile"):
            super()._maybe_compile(target)

    def call_hook(self, fn_name: str, **arguments: Any) -> None:
        """Call all hooks; some build their parts before the run."""
        if fn_name == "before_run":
            with building("default_hooks or custom_hooks"):
                super().call_hook(fn_name, **arguments)
        else:
            super().call_hook(fn_name, **arguments)


def check_loop(loop: Mapping[str, Any] | None) -> None:
    """Raise a `ConfigError` unless the lengths in `train_cfg` are whole numbers of at least 1."""
    for key in ("max_epochs", "max_iters", "val_interval"):
        value = (loop or {}).get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"train_cfg.{key} must be an integer of at least 1, got {value!r}")


def _failed_class(error: BaseException) -> str:
    """Return the name of the innermost class that a registry was building, or an empty text."""
    name = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "build_from_cfg":
            built = frame.f_locals.get("obj_cls")
            name = getattr(built, "__name__", name)
    return name
