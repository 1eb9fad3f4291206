"""Datasets, transforms, tokenizers and collate: from annotation files to batches."""

from vgtoolbox.datasets.annotation_files import AnnotationError
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.chat_tokenizers import (
    HuggingFaceChatTokenizer,
    SentencePieceChatTokenizer,
)
from vgtoolbox.datasets.coco_expressions import COCOExpressionsDataset
from vgtoolbox.datasets.collate import grounding_collate
from vgtoolbox.datasets.grefcoco import GRefCOCODataset
from vgtoolbox.datasets.image_batches import (
    ImageBatchSampler,
    MixtureSampler,
    conversation_collate,
)
from vgtoolbox.datasets.image_order import ImageLaneBatchSampler, ImageWindowSampler
from vgtoolbox.datasets.instancevg_json import InstanceVGJsonDataset
from vgtoolbox.datasets.json_lines import JSONLinesDataset
from vgtoolbox.datasets.mixtures import ConcatGroundingDataset
from vgtoolbox.datasets.negated_refcoco import FPRefCOCODataset, RRefCOCODataset
from vgtoolbox.datasets.phrase_list import PhraseListDataset
from vgtoolbox.datasets.reasonseg import ReasonSegDataset
from vgtoolbox.datasets.refcoco import RefCOCODataset
from vgtoolbox.datasets.refzom import RefZOMDataset
from vgtoolbox.datasets.segllm_conversations import SegLLMConversationDataset
from vgtoolbox.datasets.tokenizers import BEiT3Tokenizer, BertTokenizer, ExpressionTokenizer
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
    "AnnotationError",
    "BEiT3Tokenizer",
    "BertTokenizer",
    "COCOExpressionsDataset",
    "ChooseExpression",
    "CleanExpression",
    "ColorJitter",
    "ConcatGroundingDataset",
    "ExpressionTokenizer",
    "FPRefCOCODataset",
    "GRefCOCODataset",
    "GroundingDataset",
    "HuggingFaceChatTokenizer",
    "ImageBatchSampler",
    "ImageLaneBatchSampler",
    "ImageWindowSampler",
    "InstanceVGJsonDataset",
    "JSONLinesDataset",
    "LoadImage",
    "LoadTargets",
    "MixtureSampler",
    "PackGroundingInputs",
    "PhraseListDataset",
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
    "clean_expression",
    "conversation_collate",
    "grounding_collate",
    "load_restricted_pickle",
    "swap_left_and_right",
]
