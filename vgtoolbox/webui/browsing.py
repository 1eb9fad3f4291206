"""Looking through a split: the ground truth of a sample beside what a model finds."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import InstanceData

from vgtoolbox.datasets import GroundingDataset
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.engine.runner import choose_splits
from vgtoolbox.inference.inferencer import GroundingInferencer
from vgtoolbox.registry import DATASETS
from vgtoolbox.visualization import Overlay, prediction_panel, target_panel
from vgtoolbox.visualization.drawing import RGBImage, side_by_side
from vgtoolbox.webui.answering import PageError

# The picture as it lies on disk, with targets in its frame: no resizing, no tokens.
_PIPELINE = [{"type": name} for name in ("LoadImage", "ChooseExpression", "LoadTargets")]


class SplitBrowser:
    """The splits that the config of a model tests on.

    Args:
        inferencer: That predicts.
    """

    def __init__(self, inferencer: GroundingInferencer) -> None:
        self._inferencer = inferencer
        self._read: tuple[str, GroundingDataset] | None = None

    @property
    def splits(self) -> list[str]:
        """Names of the splits; none where the config names none."""
        return list(self._inferencer.config.get("test_splits", {}))

    def length(self, split: str) -> int:
        """Return how many samples a split has.

        Raises:
            PageError: Its files are not there, or there is no such split.
        """
        return len(self._dataset(split))

    def show(self, split: str, index: int) -> tuple[RGBImage, str]:
        """Draw a sample and say which it is.

        Raises:
            PageError: There is no such sample.
        """
        dataset = self._dataset(split)
        if not 0 <= index < len(dataset):
            raise PageError(f"{split} has samples 0 to {len(dataset) - 1}, not {index}")
        sample = dataset[index]
        image = sample["image"].as_subclass(torch.Tensor).permute(1, 2, 0).contiguous().numpy()
        targets = InstanceData(boxes_xyxy=sample["boxes_ori"], masks=sample["rles_ori"])
        truth = Overlay.of_targets(targets, (image.shape[0], image.shape[1]))
        (result,) = self._inferencer(image, sample["expression"])
        record: dict[str, Any] = dict(result.to_dict())
        panels = [
            target_panel(image, truth, expression=sample["expression"]),
            prediction_panel(image, record, score_thr=result.score_thr),
        ]
        words = f"{sample['sample_id']}, sample {index} of {len(dataset)}: “{sample['expression']}”"
        return side_by_side(panels, gap=8), words

    def _dataset(self, split: str) -> GroundingDataset:
        if self._read is None or self._read[0] != split:
            try:
                config = choose_splits(self._inferencer.config, [split])[split]["dataset"]
                dataset = DATASETS.build({**config, "pipeline": _PIPELINE})
            except (ConfigError, OSError, ValueError) as error:
                raise PageError(f"the split {split} can not be read: {error}") from error
            self._read = (split, dataset)
        return self._read[1]
