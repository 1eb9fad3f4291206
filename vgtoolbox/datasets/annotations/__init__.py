"""Parsing and validation of annotation files, shared by the readers."""

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError, Entry, FieldError
from vgtoolbox.datasets.annotations.coco_instances import COCOInstances
from vgtoolbox.datasets.annotations.mask_sources import MaskSource, open_mask_source

__all__ = [
    "AnnotationError",
    "COCOInstances",
    "Entry",
    "FieldError",
    "MaskSource",
    "open_mask_source",
]
