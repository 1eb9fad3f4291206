"""Statistics of a generated dataset: `statistics.json` and the printed table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table


def describe_grefs(
    grefs: Iterable[Mapping[str, Any]], families: Mapping[int, str]
) -> dict[str, dict[str, Any]]:
    """Return the statistics of gRefCOCO refs by split.

    Args:
        grefs: Records of `grefs(unc).json`.
        families: Sentence id -> expression family.
    """
    by_split: dict[str, list[Mapping[str, Any]]] = {}
    for ref in grefs:
        by_split.setdefault(ref["split"], []).append(ref)
    return {split: _describe(refs, families) for split, refs in by_split.items()}


def _describe(refs: list[Mapping[str, Any]], families: Mapping[int, str]) -> dict[str, Any]:
    pairs = [(ref, sentence) for ref in refs for sentence in ref["sentences"]]
    kinds = Counter(_kind(ref) for ref, _ in pairs)
    lengths = sorted(len(sentence["tokens"]) for _, sentence in pairs)
    words = Counter(word for _, sentence in pairs for word in sentence["tokens"])
    by_family: dict[str, Counter[str]] = {}
    for ref, sentence in pairs:
        by_family.setdefault(families[sentence["sent_id"]], Counter())[_kind(ref)] += 1
    return {
        "images": len({ref["image_id"] for ref in refs}),
        "refs": len(refs),
        "sentences": len(pairs),
        "single_target_percent": _percent(kinds["single"], len(pairs)),
        "multi_target_percent": _percent(kinds["multi"], len(pairs)),
        "no_target_percent": _percent(kinds["none"], len(pairs)),
        "words_mean": round(sum(lengths) / len(lengths), 2),
        "words_max": lengths[-1],
        "distinct_sentences": len({sentence["sent"] for _, sentence in pairs}),
        "vocabulary": dict(words.most_common()),
        "families": {
            name: {
                "percent": _percent(counts.total(), len(pairs)),
                "no_target_percent": _percent(counts["none"], counts.total()),
            }
            for name, counts in sorted(by_family.items())
        },
    }


def statistics_table(statistics: Mapping[str, Any]) -> Table:
    """Return the statistics as a table with one column per split."""
    splits = statistics["splits"]
    world = statistics["world"]
    table = Table(title=f"shapes {world['scale']}, seed {world['seed']}")
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    for key in next(iter(splits.values())):
        if key not in ("vocabulary", "families"):
            table.add_row(key.replace("_", " "), *(f"{row[key]:,}" for row in splits.values()))
    sizes = (str(len(row["vocabulary"])) for row in splits.values())
    table.add_row("vocabulary", *sizes, end_section=True)
    table.add_row("[b]family: % (of it no target)[/b]")
    for family in next(iter(splits.values()))["families"]:
        shares = (row["families"].get(family) for row in splits.values())
        cells = (f"{s['percent']:.1f} ({s['no_target_percent']:.0f})" if s else "-" for s in shares)
        table.add_row(family, *cells)
    return table


def _kind(ref: Mapping[str, Any]) -> str:
    if ref["no_target"]:
        return "none"
    return "multi" if len(ref["ann_id"]) > 1 else "single"


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0
