"""Finding in images what expressions name, in a few lines of Python."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log

from vgtoolbox.engine.device import choose_device
from vgtoolbox.inference.chat_session import GroundingChat
from vgtoolbox.inference.inputs.images import (
    MAX_PIXELS,
    ImageReader,
    downscale_to_limit,
    read_image,
)
from vgtoolbox.inference.inputs.pairing import Expressions, Pair, pair_up
from vgtoolbox.inference.inputs.sources import ImageLike, is_one_image, list_images
from vgtoolbox.inference.loading import ConfigLike, load_grounder
from vgtoolbox.inference.precision import Precision, PrecisionPolicy
from vgtoolbox.inference.results.naming import safe_name
from vgtoolbox.inference.results.saving import save_result
from vgtoolbox.inference.results.schemas import GroundingResult, Task
from vgtoolbox.inference.streaming import OnError, image_names, stream_answers
from vgtoolbox.registry import INFERENCERS
from vgtoolbox.structures import PUBLISHED_SCORE_THR, GroundingDataSample
from vgtoolbox.visualization import prediction_panel
from vgtoolbox.visualization.drawing import RGBImage


@dataclass(frozen=True)
class PreparedPair:
    """A pair on its way into the model.

    Attributes:
        item: What the pipeline made of it: `inputs` and `data_samples`.
        expression: As it was asked.
        size: (H, W) of the original image, before it was made smaller for want of memory.
    """

    item: dict[str, Any]
    expression: str
    size: tuple[int, int]


@INFERENCERS.register_module()
class GroundingInferencer:
    """A model ready to be asked: images and expressions in, results in original pixels out.

    Args:
        config: The name of a model of the zoo, a file, a config, or None for the one that a
            released checkpoint carries.
        checkpoint: Ours or a published one; None takes the weights of the named model, or leaves
            them random, with a warning.
        device: "auto" takes cuda, then mps, then cpu.
        dtype: "auto" leaves the weights as they are; "float32", or "bfloat16" or "float16" for
            half the memory, and on most accelerators half the time.
        batch_size: Pairs that the model reads at once.
        score_thr: Instances above it are targets, and none above it means no target; None keeps
            the model's own.
        max_pixels: Images with more are refused.
        options: Overrides of the config, by dotted key.

    Example:
        >>> inferencer = GroundingInferencer("InstanceVG-tiny-shapes")
        >>> result = inferencer("scene.jpg", "the red circle")[0]
    """

    def __init__(
        self,
        config: ConfigLike | None = None,
        checkpoint: str | Path | None = None,
        *,
        device: str = "auto",
        dtype: Precision = "auto",
        batch_size: int = 1,
        score_thr: float | None = None,
        max_pixels: int = MAX_PIXELS,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        self.device = choose_device(device)
        self.batch_size = batch_size
        self.max_pixels = max_pixels
        loaded = load_grounder(config, checkpoint, options)
        self.config = loaded.config
        self.arithmetic = PrecisionPolicy(dtype)
        self.model = self.arithmetic.prepare(loaded.model).to(self.device)
        self.pipeline, self.collate = loaded.pipeline, loaded.collate
        self._made_by = {
            "config": str(config) if isinstance(config, (str, Path)) else None,
            "checkpoint": None if checkpoint is None else str(checkpoint),
        }
        self.score_thr = self.use_score_thr(score_thr)
        print_log(f"inference on device: {self.device}", logger="current", level=logging.INFO)

    def __call__(
        self,
        images: ImageLike | Iterable[ImageLike],
        expressions: Expressions,
        *,
        tasks: Task = "auto",
        topk: int | None = None,
        score_thr: float | None = None,
        out_dir: str | Path | None = None,
    ) -> list[GroundingResult]:
        """Find what each expression names.

        Args:
            images: One or several: paths, folders, patterns, http(s) addresses, PIL images, uint8
                RGB arrays (H, W, 3), tensors (3, H, W).
            expressions: One, several, or several for each image; `pair_up` states the rule.
            tasks: "auto", "box", "mask" or "both"; see `GroundingResult.reduced`.
            topk: At most so many candidates a result, those of the highest scores.
            score_thr: For this call; None keeps that of the inferencer.
            out_dir: Write a PNG and a JSON of each result into this folder.

        Returns:
            One result a pair, in order.

        Raises:
            ValueError: The numbers do not fit, an image is broken, or an expression is empty.
            FileNotFoundError: There is no such image.
        """
        usual = self.score_thr
        if score_thr is not None:
            self.use_score_thr(score_thr)
        try:
            pairs = pair_up(images, expressions)
            results = list(stream_answers(self, pairs, tasks=tasks, topk=topk))
        finally:
            if score_thr is not None:
                self.use_score_thr(usual)
        if out_dir is not None:
            for (image, _), result in zip(pairs, results, strict=True):
                save_result(result, self.visualize([image], [result])[0], out_dir)
        return results

    def stream(
        self,
        images: ImageLike | Iterable[ImageLike],
        expressions: Expressions,
        *,
        tasks: Task = "auto",
        topk: int | None = None,
        out_file: str | os.PathLike[str] | None = None,
        on_error: OnError | None = None,
    ) -> Iterator[GroundingResult]:
        """Find what expressions name, and give each result as soon as it is there.

        Args:
            images: As in a call.
            expressions: As in a call.
            tasks: As in a call.
            topk: As in a call.
            out_file: A `predictions.jsonl` that results are written to before they are given. What
                it holds already is not done again, so that a run that was killed goes on.
            on_error: Told image, expression and error of a pair that can not be read, in place of
                an exception; the pair is not written, so that the next run tries it again.

        Yields:
            Results of what was not done yet, in order.
        """
        pairs = pair_up(images, expressions)
        return stream_answers(
            self, pairs, tasks=tasks, topk=topk, out_file=out_file, on_error=on_error
        )

    @property
    def made_by(self) -> dict[str, Any]:
        """What its answers depend on, as plain values."""
        return {**self._made_by, "score_thr": self.score_thr}

    def chat(self, image: ImageLike) -> GroundingChat:
        """Begin a conversation about one image."""
        return GroundingChat(self, image)

    def preprocess(
        self,
        pairs: Sequence[Pair],
        *,
        names: Sequence[str] | None = None,
        rounds: Sequence[GroundingResult] = (),
        read: Callable[[ImageLike], RGBImage] | None = None,
    ) -> list[PreparedPair]:
        """Decode the images of a batch and run the test pipeline on each pair.

        Args:
            pairs: Of image and expression.
            names: Of the images; None makes them from paths and positions.
            rounds: What was asked and answered about the image before.
            read: Decodes an image; None decodes each that follows itself once.
        """
        names = image_names(pairs) if names is None else names
        read = ImageReader(self.max_pixels) if read is None else read
        return [
            _prepare(self.pipeline, read(image), (name, expression), rounds)
            for (image, expression), name in zip(pairs, names, strict=True)
        ]

    @torch.inference_mode()
    def forward(self, prepared: Sequence[PreparedPair]) -> list[GroundingDataSample]:
        """Run the model on what `preprocess` gave, as one batch."""
        batch = self.collate([pair.item for pair in prepared])
        with self.arithmetic.context(self.device):
            return self.model.eval().test_step(batch)

    def postprocess(
        self,
        samples: Sequence[GroundingDataSample],
        prepared: Sequence[PreparedPair],
        *,
        seconds: float = 0.0,
    ) -> list[GroundingResult]:
        """Turn samples with predictions into results in original pixels.

        Args:
            samples: That `forward` gave.
            prepared: That it was given.
            seconds: That it took, by pair.
        """
        return [
            GroundingResult.from_data_sample(
                sample, expression=pair.expression, score_thr=self.score_thr, seconds=seconds
            ).resized(pair.size)
            for sample, pair in zip(samples, prepared, strict=True)
        ]

    def answer(self, prepared: Sequence[PreparedPair]) -> list[GroundingResult]:
        """Run the model and return its results: `forward`, then `postprocess`."""
        if not prepared:
            return []
        started = time.perf_counter()
        samples = self.forward(prepared)
        seconds = (time.perf_counter() - started) / len(prepared)
        return self.postprocess(samples, prepared, seconds=seconds)

    def visualize(
        self,
        images: ImageLike | Iterable[ImageLike] | None,
        results: Sequence[GroundingResult],
    ) -> list[RGBImage]:
        """Draw results over their images.

        Args:
            images: What the results were found in, one for all or one each; None reads them from
                where the results say.
            results: Of a call.

        Returns:
            uint8 RGB arrays, with a caption above and below. Small images are enlarged, huge ones
            reduced.
        """
        if images is None:
            chosen: list[Any] = [result.image for result in results]
        else:
            chosen = list_images(images) * (len(results) if is_one_image(images) else 1)
        if len(chosen) != len(results):
            raise ValueError(f"{len(chosen)} images for {len(results)} results to draw over them")
        pictures = []
        for image, result in zip(chosen, results, strict=True):
            picture = downscale_to_limit(read_image(image, max_pixels=self.max_pixels))
            shown = result.resized((picture.shape[0], picture.shape[1])).to_dict()
            pictures.append(prediction_panel(picture, shown, score_thr=result.score_thr))
        return pictures

    def use_score_thr(self, score_thr: float | None) -> float:
        """Hand a threshold to the model, or learn the one that it has.

        Raises:
            ValueError: It is no probability, or the model has no threshold.
        """
        postprocessor: Any = getattr(self.model, "postprocessor", None)
        if score_thr is None:
            return getattr(postprocessor, "score_thr", PUBLISHED_SCORE_THR)
        if not 0 <= score_thr <= 1:
            raise ValueError(f"score_thr is a probability in 0..1, got {score_thr}")
        if postprocessor is None or not hasattr(postprocessor, "score_thr"):
            raise ValueError(f"{type(self.model).__name__} has no score threshold to set")
        postprocessor.score_thr = self.score_thr = score_thr
        return score_thr


def _prepare(
    pipeline: Callable[[dict[str, Any]], Any],
    picture: RGBImage,
    pair: tuple[str, str],
    rounds: Sequence[GroundingResult],
) -> PreparedPair:
    """Run a pipeline on a picture and the (name, expression) that belong to it."""
    name, expression = pair
    record: dict[str, Any] = {
        "image": downscale_to_limit(picture),
        "img_path": name,
        "sample_idx": 0,
        "sample_id": safe_name(Path(name).stem, expression, unread=name),
        "split": "",
        "expressions": [expression],
        "rounds": tuple(rounds),
        "rng": np.random.default_rng(0),
    }
    return PreparedPair(pipeline(record), expression, (picture.shape[0], picture.shape[1]))
