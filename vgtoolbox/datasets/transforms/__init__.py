"""Transforms: callables `results -> results`, registered in `TRANSFORMS`."""

from vgtoolbox.datasets.transforms.formatting import PackGroundingInputs
from vgtoolbox.datasets.transforms.geometry import RandomHorizontalFlip, Resize
from vgtoolbox.datasets.transforms.loading import LoadImage, LoadTargets
from vgtoolbox.datasets.transforms.photometric import ColorJitter
from vgtoolbox.datasets.transforms.text import (
    ChooseExpression,
    CleanExpression,
    TokenizeExpression,
    clean_expression,
    swap_left_and_right,
)

__all__ = [
    "ChooseExpression",
    "CleanExpression",
    "ColorJitter",
    "LoadImage",
    "LoadTargets",
    "PackGroundingInputs",
    "RandomHorizontalFlip",
    "Resize",
    "TokenizeExpression",
    "clean_expression",
    "swap_left_and_right",
]
