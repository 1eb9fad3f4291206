"""Datasets, transforms, tokenizers and collate: from annotation files to batches."""

from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.collate import grounding_collate
from vgtoolbox.datasets.grefcoco import GRefCOCODataset
from vgtoolbox.datasets.refcoco import RefCOCODataset
from vgtoolbox.datasets.tokenizers import BEiT3Tokenizer
from vgtoolbox.datasets.transforms import (
    ChooseExpression,
    CleanExpression,
    ColorJitter,
    LoadImage,
    LoadTargets,
    PackGroundingInputs,
    RandomHorizontalFlip,
    Resize,
    TokenizeExpression,
    clean_expression,
    swap_left_and_right,
)
from vgtoolbox.restricted_pickle import RefusedPickleError, load_restricted_pickle

__all__ = [
    "BEiT3Tokenizer",
    "ChooseExpression",
    "CleanExpression",
    "ColorJitter",
    "GRefCOCODataset",
    "GroundingDataset",
    "LoadImage",
    "LoadTargets",
    "PackGroundingInputs",
    "RandomHorizontalFlip",
    "RefCOCODataset",
    "RefusedPickleError",
    "Resize",
    "TokenizeExpression",
    "clean_expression",
    "grounding_collate",
    "load_restricted_pickle",
    "swap_left_and_right",
]
