"""Sample several expressions of one image, for models that read them together."""

from __future__ import annotations

from vgtoolbox.datasets.transforms.sample import Results, SampleError, describe_sample
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

        `sampled_query_kinds` are their kinds, if the record has `query_kinds`.

        Raises:
            ValueError: The record has no expressions.
        """
        expressions = results["expressions"]
        if not expressions:
            raise SampleError(
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
        if "query_kinds" in results:
            results["sampled_query_kinds"] = [results["query_kinds"][i] for i in chosen]
        return results
