"""Find the configs, metafiles and released weights that come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def resource_root() -> Path:
    """Return the folder that holds `configs/` and `pretrain_weights/`.

    In a checkout, also one that is installed in editable mode, it is the repository. In an
    installation from a wheel it is a folder inside the package.
    """
    package = Path(str(files("vgtoolbox")))
    packaged = package / "_packaged"
    return packaged if packaged.is_dir() else package.parent
