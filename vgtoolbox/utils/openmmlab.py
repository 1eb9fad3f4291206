"""Use mmdet and mmcv without mmcv's compiled operators.

mmdet 3.3 imports `mmcv.ops` at package level, although hardly any of its modules calls a compiled
operator. If mmcv is the pure Python build (`mmcv-lite`), a placeholder extension module lets those
imports succeed; calling a missing operator raises an error that names it.
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
    """Module in which every public attribute is an operator that raises when called."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise NotImplementedError(
                f"mmcv's compiled operator {name!r} is not included in mmcv-lite; use the "
                "torchvision or pure PyTorch variant of this module, or install the full mmcv"
            )

        return refuse


def import_openmmlab(scope: str) -> None:
    """Import `mmcv` or `mmdet`, which registers its modules in mmengine's registries.

    Args:
        scope: Name of the package, one of `OPENMMLAB_SCOPES`.

    Raises:
        ImportError: The package is not installed; the message names the extra to install.
    """
    if find_spec("mmcv") is None or find_spec(scope) is None:
        raise ImportError(
            f"a config uses a type of {scope!r}, which is not installed; "
            "install it with: pip install 'vgtoolbox[openmmlab]'"
        )
    if _EXTENSION not in sys.modules and find_spec(_EXTENSION) is None:
        placeholder = _UncompiledOps(_EXTENSION)
        # Without a spec, mmengine's search for mmcv's operators would raise an error.
        placeholder.__spec__ = ModuleSpec(_EXTENSION, loader=None)
        sys.modules[_EXTENSION] = placeholder
    submodules = {"mmcv": ("cnn", "transforms"), "mmdet": ("models", "datasets")}[scope]
    for submodule in submodules:
        importlib.import_module(f"{scope}.{submodule}")
