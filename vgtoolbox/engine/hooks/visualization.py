"""Pictures of a few validation samples after each epoch, to see a model learn."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from vgtoolbox.datasets import LoadImage
from vgtoolbox.evaluation import prediction_record
from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.registry import HOOKS
from vgtoolbox.structures import PUBLISHED_SCORE_THR, GroundingDataSample
from vgtoolbox.visualization import Overlay, prediction_panel, target_panel
from vgtoolbox.visualization.drawing import RGBImage, resize_rgb_image, side_by_side

_GAP = 8


@HOOKS.register_module()
class GroundingVisualizationHook(Hook):
    """Hand pictures to the Runner's visualizer: ground truth beside prediction.

    The samples lie evenly over the split, the same in every epoch. With several processes they are
    of the main one's part. A picture that can not be drawn is a warning, not the end of a training.

    Args:
        num: Pictures an epoch; 0 draws none.
        interval: Epochs between them.
        score_thr: Instances above it are drawn; None takes the model's own.
        side: Width of each of the two pictures, in pixels, at most.
    """

    priority = "LOW"

    def __init__(
        self,
        num: int = 4,
        *,
        interval: int = 1,
        score_thr: float | None = None,
        side: int = 640,
    ) -> None:
        if num < 0 or min(interval, side) < 1:
            raise ValueError(
                f"num must be 0 or more, interval and side 1 or more, got {num}, {interval}, {side}"
            )
        self.num = num
        self.interval = interval
        self.score_thr = score_thr
        self.side = side

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[GroundingDataSample] | None = None,
    ) -> None:
        """Draw the chosen samples of a batch."""
        if not outputs or not is_main_process() or runner.epoch % self.interval:
            return
        loader = runner.val_dataloader
        chosen = self._chosen(len(loader.sampler))
        first = batch_idx * (loader.batch_size or len(outputs))
        for position, sample in enumerate(outputs, start=first):
            if position in chosen:
                self._add(runner, sample)

    def _chosen(self, samples: int) -> frozenset[int]:
        return frozenset(np.linspace(0, samples - 1, min(self.num, samples)).astype(int).tolist())

    def _add(self, runner: Runner, sample: GroundingDataSample) -> None:
        name = re.sub(r"[^\w-]+", "-", str(sample.sample_id))
        try:
            picture = self._draw(runner, sample)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            message = f"no picture of the validation sample {sample.sample_id}: {error}"
            print_log(message, logger="current", level=logging.WARNING)
            return
        runner.visualizer.add_image(f"val-{name}", picture, runner.epoch)

    def _draw(self, runner: Runner, sample: GroundingDataSample) -> RGBImage:
        score_thr = self.score_thr
        if score_thr is None and isinstance(runner.bare_model, BaseGrounder):
            score_thr = runner.bare_model.score_thr
        if score_thr is None:
            score_thr = PUBLISHED_SCORE_THR
        # Read again: what the model saw has another size, and may have lost its margins.
        image = LoadImage()({"img_path": sample.img_path})["image"].as_subclass(torch.Tensor)
        picture = image.permute(1, 2, 0).contiguous().numpy()
        truth = Overlay.from_targets(sample.gt_instances_ori, (picture.shape[0], picture.shape[1]))
        record = prediction_record(sample)
        panels = [
            target_panel(picture, truth, expression=record["expression"]),
            prediction_panel(picture, record, score_thr=score_thr),
        ]
        drawn = side_by_side(panels, gap=_GAP)
        factor = min(1.0, 2 * self.side / drawn.shape[1])
        size = (_scaled(drawn.shape[0], factor), _scaled(drawn.shape[1], factor))
        return resize_rgb_image(drawn, size)


def _scaled(length: int, factor: float) -> int:
    return max(1, round(length * factor))
