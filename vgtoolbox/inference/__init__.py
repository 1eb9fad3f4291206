"""Inference: the inferencer and its results.

Names are imported on first use, so that importing the package does not load the models.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vgtoolbox.inference.attention import attention_maps
    from vgtoolbox.inference.chat_session import GroundingChat
    from vgtoolbox.inference.inferencer import GroundingInferencer
    from vgtoolbox.inference.results.naming import safe_name
    from vgtoolbox.inference.results.result import GroundingResult
    from vgtoolbox.inference.results.saving import coco_dataset, save_formats, save_result
    from vgtoolbox.inference.results.target import Target

__all__ = [
    "GroundingChat",
    "GroundingInferencer",
    "GroundingResult",
    "Target",
    "attention_maps",
    "coco_dataset",
    "safe_name",
    "save_formats",
    "save_result",
]

_MODULES = MappingProxyType(
    {
        "GroundingChat": "chat_session",
        "GroundingInferencer": "inferencer",
        "GroundingResult": "results.result",
        "Target": "results.target",
        "attention_maps": "attention",
        "coco_dataset": "results.saving",
        "safe_name": "results.naming",
        "save_formats": "results.saving",
        "save_result": "results.saving",
    }
)


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
