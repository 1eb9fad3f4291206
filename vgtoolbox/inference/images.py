"""Images in the forms that people hold them in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vgtoolbox.datasets import LoadImage
from vgtoolbox.visualization.drawing import Picture, check_picture

ImageLike = str | Path | Image.Image | np.ndarray


def read_image(image: ImageLike) -> Picture:
    """Return an image as a uint8 RGB array (H, W, 3), upright.

    Args:
        image: A path, a PIL image, or an array that is uint8 RGB (H, W, 3) already.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is truncated or no image, or the array is something else.
    """
    if isinstance(image, np.ndarray):
        check_picture(image)
        # A copy, since torch takes neither a mirrored view (`image[..., ::-1]`) nor a frozen array.
        return np.array(image, order="C")
    if isinstance(image, Image.Image):
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    if not isinstance(image, (str, Path)):
        raise TypeError(
            "an image is a path, a PIL image or a uint8 RGB array (H, W, 3), "
            f"got {type(image).__name__}"
        )
    if not Path(image).is_file():
        found = "is a folder" if Path(image).is_dir() else "does not exist"
        raise FileNotFoundError(f"the image {image} {found}; expected an image file")
    loaded = LoadImage()({"img_path": str(image)})["image"]  # (3, H, W)
    return loaded.permute(1, 2, 0).contiguous().numpy()


def image_name(image: ImageLike, position: int) -> str:
    """Return the path of an image, or a made-up name where it has none."""
    if isinstance(image, (str, Path)):
        return str(image)
    return str(getattr(image, "filename", "") or f"image-{position}")
