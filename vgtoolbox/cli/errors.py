"""User errors, which commands report in one line instead of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vgtoolbox.checkpoint import CheckpointError, CheckpointMismatchError
from vgtoolbox.datasets import AnnotationError, RefusedPickleError
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.engine.device import DeviceError
from vgtoolbox.registry import UnknownTypeError
from vgtoolbox.utils.image_files import ImageFileError
from vgtoolbox.utils.locks import OutputInUseError
from vgtoolbox.utils.text import escape_invisible

USER_ERRORS: tuple[type[Exception], ...] = (
    CheckpointError,
    CheckpointMismatchError,
    ConfigError,
    DeviceError,
    AnnotationError,
    FileNotFoundError,
    ImageFileError,
    OutputInUseError,
    RefusedPickleError,
    UnknownTypeError,
)


@contextmanager
def exit_on_user_error(*also: type[Exception]) -> Iterator[None]:
    """End the process with `error: ...` and exit code 2 on a user error.

    Args:
        also: Further exceptions that are user errors in this command.
    """
    mistakes = USER_ERRORS + also
    try:
        yield
    except mistakes as error:
        text = escape_invisible(str(error), keep="\n")
        print(f"error: {text}", file=sys.stderr)
        sys.exit(2)
