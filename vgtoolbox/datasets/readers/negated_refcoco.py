"""Read R-RefCOCO and FP-RefCOCO: refs with additional sentences that name nothing."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import expect
from vgtoolbox.datasets.readers.refcoco import Ref, RefCOCODataset
from vgtoolbox.datasets.records import Record
from vgtoolbox.registry import DATASETS


class NegatedRefCOCODataset(RefCOCODataset):
    """Refs in which some sentences name the ref's object and the others name nothing."""

    @abstractmethod
    def names_nothing(self, sentence: dict[str, Any]) -> bool:
        """Return whether the sentence names nothing in the image."""

    def parse_data_info(self, raw_data_info: Ref) -> Record | None:
        """Return the record of a ref; its negative sentences name none of its targets."""
        record = super().parse_data_info(raw_data_info)
        if record is None:
            return None
        named = list(range(len(record["targets"])))
        sentences = raw_data_info["sentences"]
        record["expression_targets"] = [[] if self.names_nothing(s) else named for s in sentences]
        return record


@DATASETS.register_module()
class RRefCOCODataset(NegatedRefCOCODataset):
    """R-RefCOCO, R-RefCOCO+ and R-RefCOCOg (Wu et al., RefSegformer, TIP 2024).

    A sentence that names nothing has `exist` False. Metrics are computed per ref: the part of a
    `sample_id` before the last `_` is the ref. Some releases name the file
    `refs(unc_exclude_unified).p`: use `split_by="unc_exclude_unified"`.
    """

    def names_nothing(self, sentence: dict[str, Any]) -> bool:
        """Return whether the sentence names nothing in the image."""
        return "exist" in sentence and not expect(sentence, "exist", bool | int)


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class FPRefCOCODataset(NegatedRefCOCODataset):
    """FP-RefCOCO, FP-RefCOCO+ and FP-RefCOCOg (Wu et al., SESAME, CVPR 2024).

    A false premise has `is_false_premise` True and `gt_sent`, the correct sentence:
    `correction` in the record of the expression, `None` for a true sentence.
    """

    split_by: str = "berkeley_exclude_unified"

    def names_nothing(self, sentence: dict[str, Any]) -> bool:
        """Return whether the sentence names nothing in the image."""
        return bool(expect(sentence, "is_false_premise", bool | int))

    def parse_data_info(self, raw_data_info: Ref) -> Record | None:
        """Return the record of a ref with the corrections of its false premises."""
        record = super().parse_data_info(raw_data_info)
        if record is None:
            return None
        sentences = raw_data_info["sentences"]
        record["corrections"] = [
            expect(s, "gt_sent", str) if self.names_nothing(s) else None for s in sentences
        ]
        return record
