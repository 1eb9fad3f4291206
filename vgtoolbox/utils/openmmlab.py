"""Interoperation with mmdet and mmcv, without mmcv's compiler.

mmdet 3.3 imports `mmcv.ops` at package level, although hardly any of its modules calls a
compiled operator. Where mmcv is its pure-Python build (`mmcv-lite`), a stand-in extension module
lets those imports pass; calling an operator that is not compiled raises an error that says so.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

OPENMMLAB_SCOPES = ("mmcv", "mmdet")
_EXTENSION = "mmcv._ext"


class _UncompiledOps(ModuleType):
    """A module whose every public attribute is an operator that refuses to run."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise NotImplementedError(
                f"mmcv's compiled operator {name!r} was called, but mmcv-lite ships none. "
                "Use the torchvision or pure-torch variant of this module, or install a full mmcv."
            )

        return refuse


def import_openmmlab(scope: str) -> None:
    """Import `mmcv` or `mmdet` so that its modules stand in mmengine's registries.

    Args:
        scope: One of `OPENMMLAB_SCOPES`.

    Raises:
        ImportError: The package is not installed; the message names the extra to install.
    """
    if find_spec("mmcv") is None or find_spec(scope) is None:
        raise ImportError(
            f"a config asks for a type of {scope!r}, which is not installed; "
            "install it with: pip install 'vgtoolbox[openmmlab]'"
        )
    if _EXTENSION not in sys.modules and find_spec(_EXTENSION) is None:
        stand_in = _UncompiledOps(_EXTENSION)
        # Without a spec, mmengine's search for mmcv's operators fails in place of finding none.
        stand_in.__spec__ = ModuleSpec(_EXTENSION, loader=None)
        sys.modules[_EXTENSION] = stand_in
    submodules = {"mmcv": ("cnn", "transforms"), "mmdet": ("models", "datasets")}[scope]
    for submodule in submodules:
        importlib.import_module(f"{scope}.{submodule}")
