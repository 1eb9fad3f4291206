"""Samples and settings for the commands that score prediction files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vgtoolbox.engine.config import ConfigError, load_config, parse_options
from vgtoolbox.engine.runner import choose_splits
from vgtoolbox.engine.target_dataset import TargetDataset
from vgtoolbox.evaluation import (
    DetectionOptions,
    MatchKey,
    detect_prediction_format,
    iter_keyed_predictions,
    join_predictions,
)
from vgtoolbox.structures import PUBLISHED_SCORE_THR


@dataclass(frozen=True, kw_only=True)
class ScoringJob:
    """A prediction file and its split."""

    name: str
    dataset: TargetDataset
    evaluator: list[dict[str, Any]]
    """Configs of the split's metrics; empty if a dataset was given without a config."""
    score_thr: float
    arguments: argparse.Namespace

    def samples(self) -> Iterator[dict[str, Any]]:
        """Yield the samples with their predictions, reading the file again."""
        given = self.arguments
        file_format = given.layout or detect_prediction_format(given.predictions)
        match_by: MatchKey = given.match or ("ann_id" if file_format == "refexp" else "sample_id")
        return join_predictions(
            self.dataset,
            iter_keyed_predictions(
                given.predictions, file_format, by_annotation=match_by == "ann_id"
            ),
            match_by=match_by,
            missing=given.missing,
            options=DetectionOptions(score_thr=self.score_thr, merge=given.merge),
        )


def scoring_job(arguments: argparse.Namespace) -> ScoringJob:
    """Find the split that the arguments name and read its annotations.

    Raises:
        ConfigError: There is no such split, or the dataset has no type.
    """
    if arguments.dataset:
        dataset: Mapping[str, Any] = parse_options(arguments.dataset)
        if "type" not in dataset:
            raise ConfigError("--dataset needs a type, e.g. --dataset type=GRefCOCODataset ...")
        name, evaluator, score_thr = "predictions", [], PUBLISHED_SCORE_THR
    else:
        cfg = load_config(arguments.config, parse_options(arguments.cfg_options))
        name = arguments.split or arguments.predictions.resolve().parent.name
        split = choose_splits(cfg, [name])[name]
        dataset, evaluator = split["dataset"], [dict(metric) for metric in split["evaluator"]]
        postprocessor: Mapping[str, Any] = cfg.get("model", {}).get("postprocessor") or {}
        score_thr = postprocessor.get("score_thr", PUBLISHED_SCORE_THR)
    return ScoringJob(
        name=name,
        dataset=TargetDataset(dataset),
        evaluator=evaluator,
        score_thr=score_thr if arguments.score_thr is None else arguments.score_thr,
        arguments=arguments,
    )
