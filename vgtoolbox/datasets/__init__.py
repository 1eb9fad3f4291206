"""Datasets, from annotation files to batches: readers, transforms, tokenizers and samplers."""

from vgtoolbox.datasets.annotations import AnnotationError
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.collate import grounding_collate
from vgtoolbox.datasets.mixtures import ConcatGroundingDataset
from vgtoolbox.datasets.readers import (
    COCOExpressionsDataset,
    EEVGListDataset,
    FPRefCOCODataset,
    GRefCOCODataset,
    InstanceVGJsonDataset,
    JSONLinesDataset,
    ReasonSegDataset,
    RefCOCODataset,
    RefZOMDataset,
    RRefCOCODataset,
    SegLLMConversationDataset,
)
from vgtoolbox.datasets.samplers import (
    FixedBatchSampler,
    ImageBatchSampler,
    ImageWindowSampler,
    MixtureSampler,
    WorkerAffineBatchSampler,
)
from vgtoolbox.datasets.tokenizers import (
    BEiT3Tokenizer,
    BertTokenizer,
    ExpressionTokenizer,
    HuggingFaceChatTokenizer,
    SentencePieceChatTokenizer,
)
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
from vgtoolbox.utils.restricted_pickle import RefusedPickleError, load_restricted_pickle

__all__ = [
    "AnnotationError",
    "BEiT3Tokenizer",
    "BertTokenizer",
    "COCOExpressionsDataset",
    "ChooseExpression",
    "CleanExpression",
    "ColorJitter",
    "ConcatGroundingDataset",
    "EEVGListDataset",
    "ExpressionTokenizer",
    "FPRefCOCODataset",
    "FixedBatchSampler",
    "GRefCOCODataset",
    "GroundingDataset",
    "HuggingFaceChatTokenizer",
    "ImageBatchSampler",
    "ImageWindowSampler",
    "InstanceVGJsonDataset",
    "JSONLinesDataset",
    "LoadImage",
    "LoadTargets",
    "MixtureSampler",
    "PackGroundingInputs",
    "RRefCOCODataset",
    "RandomHorizontalFlip",
    "ReasonSegDataset",
    "RefCOCODataset",
    "RefZOMDataset",
    "RefusedPickleError",
    "Resize",
    "SegLLMConversationDataset",
    "SentencePieceChatTokenizer",
    "TokenizeExpression",
    "WorkerAffineBatchSampler",
    "clean_expression",
    "grounding_collate",
    "load_restricted_pickle",
    "swap_left_and_right",
]
