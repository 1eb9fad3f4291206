"""Read files of torch, with errors that name the file, the cause and the next step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vgtoolbox.checkpoint.errors import CheckpointError
from vgtoolbox.utils.restricted_pickle import RefusedPickleError
from vgtoolbox.utils.torch_files import UnusableTorchFileError, load_torch_file


def load_torch_content(source: Path, *, map_location: str = "cpu", lazy: bool = False) -> Any:
    """Return the content of a file of `torch.save`.

    Args:
        source: File.
        map_location: Device of the tensors.
        lazy: Whether to read the values of tensors on access.

    Raises:
        CheckpointError: The file is damaged, or contains something other than tensors and plain
            values.
    """
    try:
        return load_torch_file(source, map_location=map_location, lazy=lazy)
    except UnusableTorchFileError as error:
        raise CheckpointError(f"{source} is not a checkpoint: {error}") from error
    except RefusedPickleError as error:
        raise CheckpointError(
            f"{source} contains Python objects, and loading these could run arbitrary code: "
            f"{error}. If you trust it, save it again with tensors and plain values only"
        ) from error
    except Exception as error:
        # For damaged bytes, zipfile and torch raise errors of a dozen kinds that all mean this.
        raise CheckpointError(
            f"{source} is truncated or damaged ({error or type(error).__name__}); copy or download "
            "it again"
        ) from error
