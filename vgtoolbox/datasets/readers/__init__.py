"""Readers of annotation formats, one format per file."""

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

__all__ = [
    "COCOExpressionsDataset",
    "EEVGListDataset",
    "FPRefCOCODataset",
    "GRefCOCODataset",
    "InstanceVGJsonDataset",
    "JSONLinesDataset",
    "RRefCOCODataset",
    "ReasonSegDataset",
    "RefCOCODataset",
    "RefZOMDataset",
    "SegLLMConversationDataset",
]
