"""Transforms: callables `results -> results`, registered in `TRANSFORMS`."""

from vgtoolbox.datasets.transforms.composition import AddView, RandomApply
from vgtoolbox.datasets.transforms.conversation import WriteReferringConversations
from vgtoolbox.datasets.transforms.cropping import CenterCrop, LargeScaleJitter, RandomTargetCrop
from vgtoolbox.datasets.transforms.expression_group import (
    SampleExpressions,
)
from vgtoolbox.datasets.transforms.formatting import PackGroundingInputs
from vgtoolbox.datasets.transforms.geometry import Pad, RandomHorizontalFlip, Resize, ResizeSide
from vgtoolbox.datasets.transforms.loading import LoadImage, LoadTargets
from vgtoolbox.datasets.transforms.photometric import ColorJitter, GaussianBlur, RandomJPEG
from vgtoolbox.datasets.transforms.sample import SampleError
from vgtoolbox.datasets.transforms.text import (
    ChooseExpression,
    CleanExpression,
    TokenizeExpression,
    clean_expression,
    swap_left_and_right,
)

__all__ = [
    "AddView",
    "CenterCrop",
    "ChooseExpression",
    "CleanExpression",
    "ColorJitter",
    "GaussianBlur",
    "LargeScaleJitter",
    "LoadImage",
    "LoadTargets",
    "PackGroundingInputs",
    "Pad",
    "RandomApply",
    "RandomHorizontalFlip",
    "RandomJPEG",
    "RandomTargetCrop",
    "Resize",
    "ResizeSide",
    "SampleError",
    "SampleExpressions",
    "TokenizeExpression",
    "WriteReferringConversations",
    "clean_expression",
    "swap_left_and_right",
]
