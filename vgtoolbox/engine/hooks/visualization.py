"""Draw a few validation samples after each epoch."""

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
    """Pass pictures of targets next to predictions to the Runner's visualizer.

    The samples are spread evenly over the split and are the same in every epoch. With several
    processes they come from the shard of the main one. An error while drawing is a warning and does
    not end the training.

    Args:
        num_samples: Number of samples per epoch; 0 draws none.
        interval: Number of epochs between drawings.
        score_thr: Score above which instances are drawn. If `None`, the model's threshold is used.
        max_width: Largest width of each of the two panels in pixels.
    """

    priority = "LOW"

    def __init__(
        self,
        *,
        num_samples: int = 4,
        interval: int = 1,
        score_thr: float | None = None,
        max_width: int = 640,
    ) -> None:
        if num_samples < 0 or min(interval, max_width) < 1:
            raise ValueError(
                "num_samples must be at least 0, interval and max_width at least 1, got "
                f"{num_samples}, {interval} and {max_width}"
            )
        self.num_samples = num_samples
        self.interval = interval
        self.score_thr = score_thr
        self.max_width = max_width

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[GroundingDataSample] | None = None,
    ) -> None:
        """Draw the selected samples of a batch."""
        if not outputs or not is_main_process() or runner.epoch % self.interval:
            return
        loader = runner.val_dataloader
        selected = self._selected_positions(len(loader.sampler))
        first = batch_idx * (loader.batch_size or len(outputs))
        for position, sample in enumerate(outputs, start=first):
            if position in selected:
                self._add_image(runner, sample)

    def _selected_positions(self, total: int) -> frozenset[int]:
        count = min(self.num_samples, total)
        return frozenset(np.linspace(0, total - 1, count).astype(int).tolist())

    def _add_image(self, runner: Runner, sample: GroundingDataSample) -> None:
        name = re.sub(r"[^\w-]+", "-", str(sample.sample_id))
        try:
            image = self._draw(runner, sample)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            message = f"cannot draw validation sample {sample.sample_id}: {error}"
            print_log(message, logger="current", level=logging.WARNING)
            return
        runner.visualizer.add_image(f"val-{name}", image, runner.epoch)

    def _draw(self, runner: Runner, sample: GroundingDataSample) -> RGBImage:
        score_thr = self.score_thr
        if score_thr is None and isinstance(runner.bare_model, BaseGrounder):
            score_thr = runner.bare_model.score_thr
        if score_thr is None:
            score_thr = PUBLISHED_SCORE_THR
        # Read from the file: the model's input has another size and may be cropped.
        pixels = LoadImage()({"img_path": sample.img_path})["image"].as_subclass(torch.Tensor)
        image = pixels.permute(1, 2, 0).contiguous().numpy()
        targets = Overlay.from_targets(sample.gt_instances_ori, (image.shape[0], image.shape[1]))
        record = prediction_record(sample)
        panels = [
            target_panel(image, targets, expression=record["expression"]),
            prediction_panel(image, record, score_thr=score_thr),
        ]
        drawn = side_by_side(panels, gap=_GAP)
        factor = min(1.0, 2 * self.max_width / drawn.shape[1])
        size = (_scaled(drawn.shape[0], factor), _scaled(drawn.shape[1], factor))
        return resize_rgb_image(drawn, size)


def _scaled(length: int, factor: float) -> int:
    return max(1, round(length * factor))
