"""Datasets, transforms, tokenizers and collate: from annotation files to batches."""

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.collate import grounding_collate, group_collate
from vgtoolbox.datasets.mixtures import ConcatGroundingDataset
from vgtoolbox.datasets.readers.coco_expressions import COCOExpressionsDataset
from vgtoolbox.datasets.readers.eevg_list import EEVGListDataset
from vgtoolbox.datasets.readers.grefcoco import GRefCOCODataset
from vgtoolbox.datasets.readers.instancevg_json import InstanceVGJsonDataset
from vgtoolbox.datasets.readers.json_lines import JSONLinesDataset
from vgtoolbox.datasets.readers.negated_refcoco import FPRefCOCODataset, RRefCOCODataset
from vgtoolbox.datasets.readers.reasonseg import ReasonSegDataset
from vgtoolbox.datasets.readers.refcoco import RefCOCODataset
from vgtoolbox.datasets.readers.refzom import RefZOMDataset
from vgtoolbox.datasets.readers.segllm import SegLLMConversationDataset
from vgtoolbox.datasets.samplers import (
    ImageBatchSampler,
    ImageWindowSampler,
    MixtureSampler,
    WorkerAffineBatchSampler,
)
from vgtoolbox.datasets.tokenizers.chat import (
    HuggingFaceChatTokenizer,
    SentencePieceChatTokenizer,
)
from vgtoolbox.datasets.tokenizers.expression import (
    BEiT3Tokenizer,
    BertTokenizer,
    ExpressionTokenizer,
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
    "group_collate",
    "load_restricted_pickle",
    "swap_left_and_right",
]
