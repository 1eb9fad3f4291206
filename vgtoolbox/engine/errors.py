"""Mistakes of a user, which a tool answers with one line in place of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vgtoolbox.checkpoint import CheckpointError, CheckpointMismatchError
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.engine.device import DeviceError
from vgtoolbox.registry import UnknownTypeError

USER_ERRORS = (
    CheckpointError,
    CheckpointMismatchError,
    ConfigError,
    DeviceError,
    FileNotFoundError,
    UnknownTypeError,
)


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the process with `error: ...` where a user's mistake was found."""
    try:
        yield
    except USER_ERRORS as error:
        sys.exit(f"error: {error}")
