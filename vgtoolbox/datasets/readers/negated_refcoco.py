"""RefCOCO's refs with sentences that are not true of the image: R-RefCOCO and FP-RefCOCO."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import expect
from vgtoolbox.datasets.readers.refcoco import Ref, RefCOCODataset
from vgtoolbox.datasets.records import Record
from vgtoolbox.registry import DATASETS


class NegatedRefCOCODataset(RefCOCODataset):
    """Refs of which some sentences name the ref's object, and the others nothing."""

    @abstractmethod
    def names_nothing(self, sentence: dict[str, Any]) -> bool:
        """Tell whether nothing in the image is as the sentence says."""

    def parse_data_info(self, raw_data_info: Ref) -> Record:
        """Make the record of a ref; its negative sentences name none of its targets."""
        record = super().parse_data_info(raw_data_info)
        named = list(range(len(record["targets"])))
        sentences = raw_data_info["sentences"]
        record["expression_targets"] = [[] if self.names_nothing(s) else named for s in sentences]
        return record


@DATASETS.register_module()
class RRefCOCODataset(NegatedRefCOCODataset):
    """R-RefCOCO, R-RefCOCO+ and R-RefCOCOg (Wu et al., RefSegformer, TIP 2024).

    A sentence that names nothing has `exist` False. Metrics are computed ref by ref: what stands
    before the last `_` of a `sample_id` is the ref. Some releases call the refs
    `refs(unc_exclude_unified).p`: `split_by="unc_exclude_unified"`.
    """

    def names_nothing(self, sentence: dict[str, Any]) -> bool:
        """Tell whether nothing in the image is as the sentence says."""
        return "exist" in sentence and not expect(sentence, "exist", bool | int)


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class FPRefCOCODataset(NegatedRefCOCODataset):
    """FP-RefCOCO, FP-RefCOCO+ and FP-RefCOCOg (Wu et al., SESAME, CVPR 2024).

    A false premise has `is_false_premise` True and `gt_sent`, the sentence that would have been
    right: `correction` in the record of the expression, None for a true sentence.
    """

    split_by: str = "berkeley_exclude_unified"

    def names_nothing(self, sentence: dict[str, Any]) -> bool:
        """Tell whether nothing in the image is as the sentence says."""
        return bool(expect(sentence, "is_false_premise", bool | int))

    def parse_data_info(self, raw_data_info: Ref) -> Record:
        """Make the record of a ref, with the corrections of its false premises."""
        record = super().parse_data_info(raw_data_info)
        sentences = raw_data_info["sentences"]
        record["corrections"] = [
            expect(s, "gt_sent", str) if self.names_nothing(s) else None for s in sentences
        ]
        return record
