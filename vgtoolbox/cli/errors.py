"""User errors, which commands report in one line instead of a traceback."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from torch import OutOfMemoryError
from torch.distributed import DistNetworkError

from vgtoolbox.checkpoint import CheckpointError, CheckpointMismatchError
from vgtoolbox.datasets import AnnotationError
from vgtoolbox.datasets.transforms import SampleError
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.engine.device import DeviceError
from vgtoolbox.registry import UnknownTypeError
from vgtoolbox.utils.atomic_file import DiskFullError
from vgtoolbox.utils.choices import OptionError
from vgtoolbox.utils.image_files import ImageFileError
from vgtoolbox.utils.locks import OutputInUseError, OutputNotWritableError
from vgtoolbox.utils.text import escape_invisible

OUT_OF_MEMORY: tuple[type[Exception], ...] = (MemoryError, OutOfMemoryError)
USER_ERRORS: tuple[type[Exception], ...] = (
    *OUT_OF_MEMORY,
    DiskFullError,
    DistNetworkError,
    CheckpointError,
    CheckpointMismatchError,
    ConfigError,
    DeviceError,
    AnnotationError,
    FileNotFoundError,
    ImageFileError,
    IsADirectoryError,
    NotADirectoryError,
    OptionError,
    OutputInUseError,
    OutputNotWritableError,
    PermissionError,
    SampleError,
    UnknownTypeError,
    pickle.UnpicklingError,
)

_MEMORY_HINT = (
    "reduce the batch size (train_dataloader.batch_size or test_dataloader.batch_size, for infer "
    "--batch-size), use --amp in training, a smaller image size, or activation_checkpointing"
)
_LINE_BREAK = "\n"
_IN_WORKER = re.compile(r"Caught \S+ in DataLoader worker process \d+\.\nOriginal Traceback ")


def user_message(error: Exception) -> str:
    """Return what a user error says, with control characters escaped.

    An error in a worker process of a data loader arrives with the traceback of the worker as its
    message; only its own message is returned.
    """
    text = str(error)
    if _IN_WORKER.match(text):
        kind = type(error)
        prefix = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        text = text.rpartition(f"\n{prefix}{kind.__qualname__}: ")[2].strip()
    if isinstance(error, OUT_OF_MEMORY):
        text = f"out of memory: {text.partition(_LINE_BREAK)[0]}; {_MEMORY_HINT}"
    return escape_invisible(text, keep=_LINE_BREAK)


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
        print(f"error: {user_message(error)}", file=sys.stderr)
        sys.exit(2)
