"""Find in images what expressions name."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from vgtoolbox.engine.device import choose_device
from vgtoolbox.inference.batching import OnError, image_names, run_batches
from vgtoolbox.inference.inputs.images import (
    MAX_PIXELS,
    ImageReader,
    read_image,
)
from vgtoolbox.inference.inputs.pairing import Expressions, Pair, pair_up
from vgtoolbox.inference.inputs.sources import ImageLike, is_one_image, list_images
from vgtoolbox.inference.loading import ConfigLike, load_grounder
from vgtoolbox.inference.precision import Precision, PrecisionPolicy
from vgtoolbox.inference.preparing import PreparedPair, prepare_pair
from vgtoolbox.inference.results.prediction_log import PredictionLog, remaining_pairs
from vgtoolbox.inference.results.result import GroundingResult, Outputs
from vgtoolbox.inference.results.saving import save_result
from vgtoolbox.registry import INFERENCERS
from vgtoolbox.structures import PUBLISHED_SCORE_THR, GroundingDataSample
from vgtoolbox.utils.choices import check_fraction
from vgtoolbox.visualization.drawing import RGBImage


@INFERENCERS.register_module()
class GroundingInferencer:
    """A loaded model that finds what expressions name in images.

    Calls do not change the model, so several threads can share one inferencer, each with its own
    threshold.

    Args:
        config: Name of a zoo model, path of a config file, or config. If `None`, the config that a
            released checkpoint carries is used.
        checkpoint: Checkpoint of vgtoolbox or a published one. If `None`, the weights of the named
            model are used; without a name the weights are random, with a warning.
        device: Device; "auto" takes cuda, then mps, then cpu.
        dtype: Precision. "auto" keeps that of the weights; "bfloat16" and "float16" take half the
            memory, and half the time on most accelerators.
        batch_size: Number of pairs in a batch.
        score_thr: Score above which a candidate is a target; without one the answer is "no target".
            If `None`, the threshold of the model is used.
        max_pixels: Maximum number of pixels of an image; larger ones are refused.
        options: Overrides of the config, by dotted key.

    Raises:
        ValueError: An argument is invalid, or `score_thr` is given for a model without scores.

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
        self.precision_policy = PrecisionPolicy(dtype)
        self.model = self.precision_policy.prepare(loaded.model).to(self.device).eval()
        self.pipeline, self.collate = loaded.pipeline, loaded.collate
        self._origin = {
            "config": str(config) if isinstance(config, (str, Path)) else None,
            "checkpoint": None if checkpoint is None else str(checkpoint),
        }
        self._score_thr = self.model.score_thr
        self._score_thr = self._checked_score_thr(score_thr)
        print_log(f"inference on device: {self.device}", logger="current", level=logging.INFO)

    def __call__(
        self,
        images: ImageLike | Iterable[ImageLike],
        expressions: Expressions,
        *,
        tasks: Outputs = "auto",
        topk: int | None = None,
        score_thr: float | None = None,
        out_dir: str | Path | None = None,
    ) -> list[GroundingResult]:
        """Find what each expression names.

        Args:
            images: One or several images: paths, folders, patterns, http(s) URLs, PIL images, uint8
                RGB arrays (H, W, 3) or tensors (3, H, W).
            expressions: One expression, several, or several for each image; see `pair_up`.
            tasks: Outputs to return: "auto", "box", "mask" or "both"; see
                `GroundingResult.reduced`.
            topk: Maximum number of candidates of a result. If `None`, all are returned.
            score_thr: Score threshold of this call. If `None`, that of the inferencer is used.
            out_dir: Folder for a PNG and a JSON of each result. If `None`, nothing is written.

        Returns:
            One result for each pair, in order.

        Raises:
            ValueError: The counts of images and expressions do not match, an image is broken, or an
                expression is empty.
            FileNotFoundError: An image does not exist.
        """
        pairs = pair_up(images, expressions)
        results = list(
            self._run(
                pairs,
                image_names(pairs),
                range(len(pairs)),
                tasks=tasks,
                topk=topk,
                score_thr=self._checked_score_thr(score_thr),
            )
        )
        if out_dir is not None:
            for result in results:
                save_result(result, out_dir)
        return results

    def stream(
        self,
        images: ImageLike | Iterable[ImageLike],
        expressions: Expressions,
        *,
        tasks: Outputs = "auto",
        topk: int | None = None,
        out_file: str | os.PathLike[str] | None = None,
        on_error: OnError | None = None,
    ) -> Iterator[GroundingResult]:
        """Find what expressions name, and yield each result as soon as it is available.

        Args:
            images: Images, as in a call.
            expressions: Expressions, as in a call.
            tasks: Outputs, as in a call.
            topk: Maximum number of candidates, as in a call.
            out_file: A `predictions.jsonl` to which each result is appended before it is yielded.
                Pairs that it already contains are skipped, so that a killed run resumes. If `None`,
                nothing is written.
            on_error: Function that is called with image name, expression and error of a pair that
                cannot be read. The pair is not written, so the next run tries it again. If `None`,
                the error is raised.

        Yields:
            Results of the pairs that `out_file` did not contain, in order.
        """
        pairs = pair_up(images, expressions)
        names = image_names(pairs)
        score_thr = self._score_thr
        if out_file is None:
            yield from self._run(
                pairs,
                names,
                range(len(pairs)),
                tasks=tasks,
                topk=topk,
                score_thr=score_thr,
                on_error=on_error,
            )
            return
        settings = {**self.settings, "tasks": None if tasks == "auto" else tasks, "topk": topk}
        with PredictionLog(out_file, settings) as log:
            yield from self._run(
                pairs,
                names,
                remaining_pairs(pairs, names, log.counts()),
                tasks=tasks,
                topk=topk,
                score_thr=score_thr,
                on_error=on_error,
                log=log,
            )

    @property
    def score_thr(self) -> float:
        """Score above which a candidate is a target, unless a call has its own threshold."""
        return PUBLISHED_SCORE_THR if self._score_thr is None else self._score_thr

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that results depend on, as plain values."""
        return {**self._origin, "score_thr": self.score_thr}

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
            pairs: Pairs of image and expression.
            names: Names of the images. If `None`, they are made from paths and positions.
            rounds: Results of earlier rounds about the same image.
            read: Function that decodes an image. If `None`, consecutive duplicates are decoded
                once.
        """
        names = image_names(pairs) if names is None else names
        read = ImageReader(self.max_pixels) if read is None else read
        return [
            prepare_pair(read(pair[0]), pair, name, pipeline=self.pipeline, rounds=rounds)
            for pair, name in zip(pairs, names, strict=True)
        ]

    @torch.inference_mode()
    def forward(
        self, prepared: Sequence[PreparedPair], *, score_thr: float | None = None
    ) -> list[GroundingDataSample]:
        """Run the model on prepared pairs as one batch.

        Args:
            prepared: Pairs from `preprocess`.
            score_thr: Score threshold of this batch. If `None`, that of the inferencer is used.
        """
        batch = self.collate([pair.item for pair in prepared])
        score_thr = self._checked_score_thr(score_thr)
        with self.precision_policy.context(self.device):
            batch = self.model.data_preprocessor(batch, training=False)
            return self.model.predict(batch["inputs"], batch["data_samples"], score_thr=score_thr)

    def postprocess(
        self,
        samples: Sequence[GroundingDataSample],
        prepared: Sequence[PreparedPair],
        *,
        score_thr: float | None = None,
        seconds: float = 0.0,
    ) -> list[GroundingResult]:
        """Turn predictions into results in original pixels.

        Args:
            samples: Samples from `forward`.
            prepared: Pairs that `forward` was given.
            score_thr: Score threshold that `forward` was given.
            seconds: Model time for each pair.
        """
        return [
            GroundingResult.from_data_sample(
                sample,
                expression=pair.expression,
                score_thr=self.score_thr if score_thr is None else score_thr,
                seconds=seconds,
                source=pair.source,
            ).resized(pair.size)
            for sample, pair in zip(samples, prepared, strict=True)
        ]

    def predict(
        self, prepared: Sequence[PreparedPair], *, score_thr: float | None = None
    ) -> list[GroundingResult]:
        """Run the model and return results: `forward`, then `postprocess`."""
        if not prepared:
            return []
        started = time.perf_counter()
        samples = self.forward(prepared, score_thr=score_thr)
        seconds = (time.perf_counter() - started) / len(prepared)
        return self.postprocess(samples, prepared, score_thr=score_thr, seconds=seconds)

    def visualize(
        self,
        images: ImageLike | Iterable[ImageLike] | None,
        results: Sequence[GroundingResult],
    ) -> list[RGBImage]:
        """Draw results over their images.

        Args:
            images: One image for all results, or one for each. If `None`, the images that the
                results were found in.
            results: Results of a call.

        Returns:
            uint8 RGB arrays, with a caption above and below; see `GroundingResult.plot`.

        Raises:
            ValueError: The counts of images and results do not match.
        """
        if images is None:
            return [result.plot() for result in results]
        chosen = list_images(images) * (len(results) if is_one_image(images) else 1)
        if len(chosen) != len(results):
            raise ValueError(
                f"expected one image for each result, got {len(chosen)} images for {len(results)} "
                "results"
            )
        return [
            result.plot(read_image(image, max_pixels=self.max_pixels))
            for image, result in zip(chosen, results, strict=True)
        ]

    def _run(
        self,
        pairs: Sequence[Pair],
        names: Sequence[str],
        positions: Sequence[int],
        *,
        tasks: Outputs,
        topk: int | None,
        score_thr: float | None,
        on_error: OnError | None = None,
        log: PredictionLog | None = None,
    ) -> Iterator[GroundingResult]:
        """Yield the results of the pairs at `positions`, after appending them to `log`."""
        read = ImageReader(self.max_pixels)  # across batches: one image may fill several
        batches = run_batches(
            pairs,
            names,
            positions,
            prepare=lambda pair, name: prepare_pair(
                read(pair[0]), pair, name, pipeline=self.pipeline
            ),
            predict=lambda prepared: self.predict(prepared, score_thr=score_thr),
            batch_size=self.batch_size,
            on_error=on_error,
        )
        for batch in batches:
            results = [result.reduced(tasks=tasks, topk=topk) for result in batch]
            if log is not None:
                log.append([result.to_dict() for result in results])
            yield from results

    def _checked_score_thr(self, score_thr: float | None) -> float | None:
        """Return the threshold that the model is given; `None` for a model without one."""
        if self.model.score_thr is None:
            if score_thr is not None:
                raise ValueError(
                    f"{type(self.model).__name__} has no score threshold; leave score_thr out"
                )
            return None
        if score_thr is None:
            return self._score_thr
        check_fraction("score_thr", score_thr)
        return score_thr
