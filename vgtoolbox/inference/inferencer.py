"""Finding in images what expressions name, in a few lines of Python."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image

from vgtoolbox.engine.device import choose_device
from vgtoolbox.inference.images import ImageLike, image_name, read_image
from vgtoolbox.inference.loading import ConfigLike, load_grounder
from vgtoolbox.inference.naming import safe_name
from vgtoolbox.inference.schemas import GroundingResult
from vgtoolbox.registry import INFERENCERS
from vgtoolbox.structures import GroundingDataSample
from vgtoolbox.visualization import prediction_panel
from vgtoolbox.visualization.drawing import Picture

Pair = tuple[ImageLike, str]
_PUBLISHED_SCORE_THR = 0.7


@INFERENCERS.register_module()
class GroundingInferencer:
    """A model ready to be asked: images and expressions in, results in original pixels out.

    Args:
        config: A file, a config, or None for the one that a released checkpoint carries.
        checkpoint: Ours or a published one; None leaves the weights random, with a warning.
        device: "auto" takes cuda, then mps, then cpu.
        batch_size: Pairs that the model reads at once.
        score_thr: Instances above it are targets, and none above it means no target; None keeps
            the model's own.
        options: Overrides of the config, by dotted key.

    Example:
        >>> inferencer = GroundingInferencer(checkpoint="InstanceVG-tiny-shapes.safetensors")
        >>> result = inferencer("scene.jpg", "the red circle")[0]
    """

    def __init__(
        self,
        config: ConfigLike | None = None,
        checkpoint: str | Path | None = None,
        *,
        device: str = "auto",
        batch_size: int = 1,
        score_thr: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        self.device = choose_device(device)
        self.batch_size = batch_size
        loaded = load_grounder(config, checkpoint, options)
        self.config = loaded.config
        self.model = loaded.model.to(self.device)
        self._pipeline, self._collate = loaded.pipeline, loaded.collate
        self.score_thr = self._use_score_thr(score_thr)
        print_log(f"inference on device: {self.device}", logger="current", level=logging.INFO)

    def __call__(
        self, images: ImageLike | Sequence[ImageLike], expressions: str | Sequence[str]
    ) -> list[GroundingResult]:
        """Find what each expression names.

        Args:
            images: One or several: paths, PIL images, or uint8 RGB arrays (H, W, 3).
            expressions: One or several. One image goes with all expressions and one expression
                with all images; otherwise there are as many of one as of the other.

        Returns:
            One result a pair, in order.

        Raises:
            ValueError: The numbers do not fit, an image is broken, or an expression is empty.
            FileNotFoundError: There is no such image.
        """
        results: list[GroundingResult] = []
        for pairs in _chunks(pair_up(images, expressions), self.batch_size):
            items = self.preprocess(pairs, first=len(results))
            results += self.postprocess(self.forward(items), [text for _, text in pairs])
        return results

    def preprocess(self, pairs: Sequence[Pair], *, first: int = 0) -> list[dict[str, Any]]:
        """Run the test pipeline on pairs of image and expression.

        Args:
            pairs: Of a batch.
            first: Position of the first one in the call.
        """
        pictures: dict[int, Picture] = {}  # an image that goes with several is read once
        items = []
        for position, (image, expression) in enumerate(pairs, start=first):
            if id(image) not in pictures:
                pictures[id(image)] = read_image(image)
            name = image_name(image, position)
            record = {
                "image": pictures[id(image)],
                "img_path": name,
                "sample_idx": position,
                "sample_id": f"{Path(name).stem}-{safe_name(expression)}",
                "split": "",
                "expressions": [expression],
                "rng": np.random.default_rng(0),
            }
            items.append(self._pipeline(record))
        return items

    @torch.inference_mode()
    def forward(self, items: list[dict[str, Any]]) -> list[GroundingDataSample]:
        """Run the model on what `preprocess` gave, as one batch."""
        return self.model.eval().test_step(self._collate(items))

    def postprocess(
        self, samples: Sequence[GroundingDataSample], expressions: Sequence[str]
    ) -> list[GroundingResult]:
        """Turn samples with predictions into results, with the expressions as they were asked."""
        return [
            GroundingResult.from_data_sample(sample, expression=expression)
            for sample, expression in zip(samples, expressions, strict=True)
        ]

    def visualize(
        self, images: ImageLike | Sequence[ImageLike], results: Sequence[GroundingResult]
    ) -> list[Picture]:
        """Draw results over their images.

        Args:
            images: What the results were found in: one for all, or one each.
            results: Of a call.

        Returns:
            uint8 RGB arrays, with a caption above and below; small images are enlarged.
        """
        pairs = pair_up(images, [result.expression for result in results])
        return [
            prediction_panel(read_image(image), result.to_dict(), score_thr=self.score_thr)
            for (image, _), result in zip(pairs, results, strict=True)
        ]

    def _use_score_thr(self, score_thr: float | None) -> float:
        """Hand a threshold to the model, or learn the one that it has."""
        postprocessor: Any = getattr(self.model, "postprocessor", None)
        if score_thr is None:
            return getattr(postprocessor, "score_thr", _PUBLISHED_SCORE_THR)
        if postprocessor is None or not hasattr(postprocessor, "score_thr"):
            raise ValueError(f"{type(self.model).__name__} has no score threshold to set")
        postprocessor.score_thr = score_thr
        return score_thr


def pair_up(
    images: ImageLike | Sequence[ImageLike], expressions: str | Sequence[str]
) -> list[Pair]:
    """Pair images with expressions: one with all, or as many of one as of the other."""
    one_image = isinstance(images, (str, Path, Image.Image, np.ndarray))
    left: list[Any] = [images] if one_image else list(images)  # type: ignore[arg-type]
    right = [expressions] if isinstance(expressions, str) else list(expressions)
    if one_image:
        left *= len(right)
    if isinstance(expressions, str):
        right *= len(left)
    if len(left) != len(right):
        raise ValueError(
            f"{len(left)} images and {len(right)} expressions do not pair up: give one image for "
            "all expressions, one expression for all images, or as many of one as of the other"
        )
    return list(zip(left, right, strict=True))


def _chunks(pairs: Sequence[Pair], size: int) -> Iterator[Sequence[Pair]]:
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]
