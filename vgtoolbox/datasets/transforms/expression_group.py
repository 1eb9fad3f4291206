"""Process several expressions of one image as one sample, for models that read them together."""

from __future__ import annotations

from typing import Any

import torch
from torchvision import tv_tensors

from vgtoolbox.datasets.transforms.formatting import PackGroundingInputs
from vgtoolbox.datasets.transforms.sample import Results, decode_targets, describe_sample
from vgtoolbox.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleExpressions:
    """Sample some of the record's `expressions` without replacement into `sampled_expressions`.

    For records of a whole image (`group_by="image"`). Must come before `LoadTargets`, which then
    reads only the targets of these expressions.

    Args:
        max_expressions: Maximum number of expressions; all are kept if there are fewer.
    """

    def __init__(self, max_expressions: int) -> None:
        if max_expressions < 1:
            raise ValueError(f"max_expressions must be 1 or more, got {max_expressions}")
        self.max_expressions = max_expressions

    def __call__(self, results: Results) -> Results:
        """Set `sampled_expressions` to a list of (expression, positions in `targets`).

        Raises:
            ValueError: The record has no expressions.
        """
        expressions = results["expressions"]
        if not expressions:
            raise ValueError(
                f"{describe_sample(results)}: the annotation must have a sentence or more, got none"
            )
        count = min(self.max_expressions, len(expressions))
        chosen = sorted(results["rng"].choice(len(expressions), count, replace=False).tolist())
        all_targets = list(range(len(results["targets"])))
        named = results.pop("expression_targets", [all_targets] * len(expressions))
        used = sorted({target for i in chosen for target in named[i]})
        place = {target: position for position, target in enumerate(used)}
        results["targets"] = [results["targets"][target] for target in used]
        results["sampled_expressions"] = [
            (expressions[i], [place[t] for t in named[i]]) for i in chosen
        ]
        return results


@TRANSFORMS.register_module()
class PackExpressionGroup:
    """Pack an image with one sample per entry of `sampled_expressions`.

    The result is `{"inputs": {"image": (3, H, W) uint8}, "data_samples": list}`, which
    `group_collate` stacks into a batch.
    """

    def __init__(self) -> None:
        self._pack = PackGroundingInputs()

    def __call__(self, results: Results) -> dict[str, Any]:
        """Pack."""
        decode_targets(results)
        packed = [
            self._pack({**results, "expression": expression, **_only(results, targets)})
            for expression, targets in results["sampled_expressions"]
        ]
        return {
            "inputs": packed[0]["inputs"],
            "data_samples": [each["data_samples"] for each in packed],
        }


def _only(results: Results, targets: list[int]) -> Results:
    """Return the targets at some positions, under the keys of `results`."""
    chosen: Results = {}
    index = torch.tensor(targets, dtype=torch.long)
    for key in ("boxes", "masks"):
        if key in results:
            values = results[key].as_subclass(torch.Tensor)[index]
            chosen[key] = tv_tensors.wrap(values, like=results[key])
    if "boxes_ori" in results:
        chosen["boxes_ori"] = results["boxes_ori"][index]
    if "rles_ori" in results:
        chosen["rles_ori"] = [results["rles_ori"][i] for i in targets]
    return chosen
