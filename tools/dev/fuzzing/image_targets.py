"""Images as inference, a download and training decode them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from fuzzing.formats import IMAGE_MUTATORS
from fuzzing.target import ImpossibleValueError, Target
from vgtoolbox.datasets import LoadImage
from vgtoolbox.inference.inputs import images
from vgtoolbox.utils.image_files import ImageFileError

ERRORS = (ImageFileError,)
_URL = "http://example.org/photo"


def _check(pixels: Any) -> None:
    is_image = (
        pixels.ndim == 3 and min(pixels.shape) > 0 and 3 in (pixels.shape[0], pixels.shape[2])
    )
    if not is_image or str(pixels.dtype) not in ("uint8", "torch.uint8"):
        raise ImpossibleValueError(f"decoded to {tuple(pixels.shape)} {pixels.dtype}")


def _infer(folder: Path, name: str) -> None:
    _check(images.read_image(folder / name))


def _download(folder: Path, name: str) -> None:
    with mock.patch.object(images, "download", lambda url: (folder / name).read_bytes()):
        _check(images.read_image(_URL))


def _train(folder: Path, name: str) -> None:
    record: dict[str, Any] = {
        "img_path": str(folder / name),
        "sample_id": "1",
        "expressions": ["a"],
    }
    record["rng"] = np.random.default_rng(0)
    _check(LoadImage()(record)["image"])


_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}


def _targets(kind: str) -> dict[str, Target]:
    name = f"photo.{_SUFFIXES.get(kind, kind)}"
    return {
        f"infer-{kind}": Target(name, lambda folder: _infer(folder, name), ERRORS),
        f"url-{kind}": Target(
            name, lambda folder: _download(folder, name), ERRORS, names_file=False
        ),
        f"train-{kind}": Target(name, lambda folder: _train(folder, name), ERRORS),
    }


TARGETS = {name: target for kind in IMAGE_MUTATORS for name, target in _targets(kind).items()}
