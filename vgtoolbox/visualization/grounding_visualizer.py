"""What a Runner draws with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.dist import master_only
from mmengine.visualization import Visualizer

from vgtoolbox.registry import VISUALIZERS
from vgtoolbox.structures import PUBLISHED_SCORE_THR, GroundingDataSample
from vgtoolbox.visualization.drawing import RGBImage, side_by_side
from vgtoolbox.visualization.overlay import Overlay
from vgtoolbox.visualization.panel import prediction_panel, target_panel

_GAP = 8


@VISUALIZERS.register_module()
class GroundingVisualizer(Visualizer):
    """Draw samples of grounding: ground truth beside prediction, the expression above both.

    Args:
        name: Of the instance.
        vis_backends: Where pictures and scalars go.
        save_dir: Folder of the backends.
        score_thr: Predicted instances above it are drawn.
        alpha: How much masks cover the picture, 0 to 1.
        font_file: For expressions in a script that DejaVu Sans lacks.
    """

    def __init__(
        self,
        name: str = "visualizer",
        vis_backends: Sequence[dict[str, Any]] | None = None,
        save_dir: str | None = None,
        *,
        score_thr: float = PUBLISHED_SCORE_THR,
        alpha: float = 0.4,
        font_file: str | None = None,
    ) -> None:
        super().__init__(
            name=name, vis_backends=list(vis_backends or ()) or None, save_dir=save_dir
        )
        self.score_thr = score_thr
        self.alpha = alpha
        self.font_file = font_file

    def draw(
        self,
        image: RGBImage,
        data_sample: GroundingDataSample,
        *,
        draw_gt: bool = True,
        draw_pred: bool = True,
    ) -> RGBImage:
        """Draw one sample.

        Args:
            image: uint8 RGB (H, W, 3), in the frame of the predictions (`pred_frame`).
            data_sample: With ground truth, predictions, or both.
            draw_gt: Draw the ground truth where the sample has one.
            draw_pred: Draw the predictions where the sample has some.
        """
        panels = []
        targets = _targets(data_sample)
        if draw_gt and targets is not None:
            overlay = Overlay.of_targets(targets, (image.shape[0], image.shape[1]))
            expression = data_sample.expression
            panels.append(
                target_panel(image, overlay, expression=expression, font_file=self.font_file)
            )
        if draw_pred and "pred_no_target" in data_sample:
            record = _record(data_sample, (image.shape[0], image.shape[1]))
            panels.append(
                prediction_panel(
                    image,
                    record,
                    score_thr=self.score_thr,
                    alpha=self.alpha,
                    font_file=self.font_file,
                )
            )
        if not panels:
            raise ValueError(
                f"sample {data_sample.get('sample_id')!r} holds nothing to draw: "
                "expected ground truth or predictions"
            )
        return side_by_side(panels, gap=_GAP)

    @master_only
    def add_datasample(
        self,
        name: str,
        image: RGBImage,
        data_sample: GroundingDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: int = 0,
        step: int = 0,
    ) -> None:
        """Draw one sample and hand the picture to all backends.

        Args:
            name: Of the picture.
            image: uint8 RGB (H, W, 3), in the frame of the predictions.
            data_sample: What to draw; None shows the bare image.
            draw_gt: Draw the ground truth where the sample has one.
            draw_pred: Draw the predictions where the sample has some.
            show: Open a window as well.
            wait_time: Seconds that it stays; 0 is until a key is pressed.
            step: Of the training.
        """
        drawn = (
            image
            if data_sample is None
            else self.draw(image, data_sample, draw_gt=draw_gt, draw_pred=draw_pred)
        )
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        self.add_image(name, drawn, step)


def _targets(sample: GroundingDataSample) -> Any:
    """Return the ground truth in the frame of the predictions; None where there is none."""
    frame = sample.get("pred_frame", "original")
    return sample.get("gt_instances" if frame == "input" else "gt_instances_ori")


def _record(sample: GroundingDataSample, size: tuple[int, int]) -> dict[str, Any]:
    """Return the predictions as `predictions.jsonl` has them, in the frame where they stand."""
    instances = sample.get("pred_instances")
    return {
        "expression": sample.expression,
        "size": list(size),
        "boxes_xyxy": [] if instances is None else instances.boxes_xyxy.tolist(),
        "scores": [] if instances is None else instances.scores.tolist(),
        "masks": [] if instances is None else list(instances.get("masks", [])),
        "merged_mask": sample.get("pred_merged_mask"),
        "no_target": sample.pred_no_target,
        "existence": sample.get("pred_existence", float(not sample.pred_no_target)),
    }
