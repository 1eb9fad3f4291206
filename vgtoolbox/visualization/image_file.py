"""Write images so that a killed program leaves the old file or the new one."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.visualization.drawing import RGBImage


def save_image(image: RGBImage, path: str | os.PathLike[str]) -> None:
    """Write an image in one step, in the format that the suffix of the path names.

    Args:
        image: uint8 RGB array (H, W, 3).
        path: Path of the file; its folder is created if it does not exist.

    Raises:
        ValueError: The suffix does not name a format.
    """
    suffix = Path(path).suffix.lower()
    file_format = Image.registered_extensions().get(suffix)
    if file_format is None:
        raise ValueError(
            f"the suffix of an image must name a format, e.g. .png or .jpg, got {suffix!r}: {path}"
        )
    with atomic_file(path) as file:
        Image.fromarray(image).save(file, format=file_format)
