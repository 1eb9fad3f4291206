"""Visualizer of a Runner that draws grounding samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.dist import master_only
from mmengine.visualization import Visualizer

from vgtoolbox.registry import VISUALIZERS
from vgtoolbox.structures import PUBLISHED_SCORE_THR, GroundingDataSample
from vgtoolbox.utils.choices import check_fraction
from vgtoolbox.visualization.drawing import RGBImage, side_by_side
from vgtoolbox.visualization.overlay import Overlay
from vgtoolbox.visualization.panel import prediction_panel, target_panel

_GAP = 8


@VISUALIZERS.register_module()
class GroundingVisualizer(Visualizer):
    """Draws grounding samples: ground truth next to prediction, with the expression above both.

    Args:
        name: Name of the instance.
        vis_backends: Configs of the backends that store images and scalars. If `None`, nothing is
            stored.
        save_dir: Folder of the backends. `None` is for backends that need no folder.
        score_thr: Score threshold in [0, 1]; predicted instances above it are drawn.
        alpha: Opacity of masks in [0, 1].
        font_file: Path of a font file, for expressions in a script that DejaVu Sans lacks. If
            `None`, DejaVu Sans is used.

    Raises:
        ValueError: `score_thr` or `alpha` is not in [0, 1].
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
        check_fraction("score_thr", score_thr)
        check_fraction("alpha", alpha)
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
            image: Image in the frame of the predictions (`pred_frame`), uint8 RGB (H, W, 3).
            data_sample: Sample with ground truth, predictions, or both.
            draw_gt: Whether to draw the ground truth if the sample has one.
            draw_pred: Whether to draw the predictions if the sample has any.

        Raises:
            ValueError: There is nothing to draw.
        """
        panels = []
        targets = _targets(data_sample)
        if draw_gt and targets is not None:
            overlay = Overlay.from_targets(targets, (image.shape[0], image.shape[1]))
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
                f"sample {data_sample.get('sample_id')!r} must have ground truth or predictions "
                "to draw, got neither"
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
        """Draw one sample and pass the image to all backends.

        Args:
            name: Name of the image.
            image: Image in the frame of the predictions, uint8 RGB (H, W, 3).
            data_sample: Sample to draw. If `None`, the image is passed on unchanged.
            draw_gt: Whether to draw the ground truth if the sample has one.
            draw_pred: Whether to draw the predictions if the sample has any.
            show: Whether to show the image in a window as well.
            wait_time: Seconds before the window closes. With 0 it closes when a key is pressed.
            step: Training step.
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
    """Return the ground truth in the frame of the predictions, or `None` if there is none."""
    frame = sample.get("pred_frame", "original")
    return sample.get("gt_instances" if frame == "input" else "gt_instances_ori")


def _record(sample: GroundingDataSample, size: tuple[int, int]) -> dict[str, Any]:
    """Return the predictions as a record of `predictions.jsonl`, in the frame of the sample."""
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
