"""Browse the samples of a split: ground truth next to the prediction of a model."""

from __future__ import annotations

import logging
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
from vgtoolbox.webui.responder import PageError

_LOGGER = logging.getLogger(__name__)
# The original image with targets in its frame: no resizing, no tokens.
_PIPELINE = [{"type": name} for name in ("LoadImage", "ChooseExpression", "LoadTargets")]


class SplitBrowser:
    """Draws samples of the splits in `test_splits` of a model's config.

    Args:
        inferencer: Inferencer that predicts, with the config that names the splits.
    """

    def __init__(self, inferencer: GroundingInferencer) -> None:
        self._inferencer = inferencer
        self._read: tuple[str, GroundingDataset] | None = None

    @property
    def splits(self) -> list[str]:
        """Names of the splits; empty if the config has no `test_splits`."""
        return list(self._inferencer.config.get("test_splits", {}))

    def length(self, split: str) -> int:
        """Return the number of samples of a split.

        Raises:
            PageError: The split is unknown, or its files are missing or invalid.
        """
        return len(self._dataset(split))

    def show(self, split: str, index: int) -> tuple[RGBImage, str]:
        """Draw a sample.

        Args:
            split: Name of the split.
            index: Index of the sample.

        Returns:
            The image with ground truth and prediction side by side, and a caption.

        Raises:
            PageError: The split is unknown or unreadable, or has no sample of this index.
        """
        dataset = self._dataset(split)
        if not 0 <= index < len(dataset):
            raise PageError(
                f"the sample of {split} must be between 0 and {len(dataset) - 1}, got {index}"
            )
        sample = dataset[index]
        image = sample["image"].as_subclass(torch.Tensor).permute(1, 2, 0).contiguous().numpy()
        targets = InstanceData(boxes_xyxy=sample["boxes_ori"], masks=sample["rles_ori"])
        truth = Overlay.from_targets(targets, (image.shape[0], image.shape[1]))
        (result,) = self._inferencer(image, sample["expression"])
        record: dict[str, Any] = dict(result.to_dict())
        panels = [
            target_panel(image, truth, expression=sample["expression"]),
            prediction_panel(image, record, score_thr=result.score_thr),
        ]
        caption = (
            f"{sample['sample_id']}, sample {index} of {len(dataset)}: “{sample['expression']}”"
        )
        return side_by_side(panels, gap=8), caption

    def _dataset(self, split: str) -> GroundingDataset:
        if self._read is None or self._read[0] != split:
            if split not in self.splits:
                listed = ", ".join(self.splits) or "none"
                raise PageError(
                    f"the split {split[:80]} cannot be read: the model's splits are {listed}"
                )
            try:
                config = choose_splits(self._inferencer.config, [split])[split]["dataset"]
                dataset = DATASETS.build({**config, "pipeline": _PIPELINE})
            except (ConfigError, OSError, ValueError) as error:
                # The reason names files of the server, which visitors must not learn.
                _LOGGER.warning("the split %s cannot be read: %s", split, error)
                raise PageError(
                    f"the split {split} cannot be read; its administrator finds the reason in the "
                    "log"
                ) from error
            self._read = (split, dataset)
        return self._read[1]
