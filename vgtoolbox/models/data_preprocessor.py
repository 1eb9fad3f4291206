"""Move a collated batch to the model's device and normalize its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.registry import MODELS
from vgtoolbox.structures import GroundingDataSample


class ImageNormalizer(nn.Module):
    """Normalization and padding of the images of one view.

    Args:
        mean: Means of red, green and blue, on the scale 0..255.
        std: Standard deviations of red, green and blue, on the scale 0..255.
        pad_size: Side of a square to which normalized images are padded with 0 at the bottom and
            right; padding of the batch is set to 0 as well. If `None`, images are not padded, and
            padding of the batch is black.

    Raises:
        ValueError: `mean` or `std` does not have three values, or a value of `std` is not positive.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        pad_size: int | None = None,
    ) -> None:
        super().__init__()
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(
                "mean and std must have three values each, and those of std must be positive, "
                f"got mean={mean} and std={std}"
            )
        self.pad_size = pad_size
        # Not persistent: they are part of the config, not of the weights.
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor, sizes: Sequence[tuple[int, int]] | None) -> Tensor:
        """Normalize images.

        Args:
            images: RGB images (B, 3, H, W) uint8.
            sizes: Height and width of each image in the batch; needed if images are padded.

        Returns:
            Images (B, 3, H, W) float32, or (B, 3, `pad_size`, `pad_size`).

        Raises:
            ValueError: An image is larger than `pad_size`, or its size is not given.
        """
        normalized = (images - self.mean).div_(self.std)  # uint8 - float32 is float32
        if self.pad_size is None:
            return normalized
        height, width = images.shape[-2:]
        if sizes is None or max(height, width) > self.pad_size:
            raise ValueError(
                f"images must have sizes and at most {self.pad_size} pixels on each side, got "
                f"{height} x {width}; resize them in the pipeline"
            )
        if any(tuple(size) != (height, width) for size in sizes):
            normalized = normalized * self.valid_pixels(sizes, (height, width))[:, None]
        return F.pad(normalized, (0, self.pad_size - width, 0, self.pad_size - height))

    def valid_pixels(self, sizes: Sequence[tuple[int, int]], frame: tuple[int, int]) -> Tensor:
        """Return the mask (B, *frame) bool of the pixels of each image in its padded frame."""
        extent = torch.tensor(sizes, device=self.mean.device)[:, :, None]  # (B, 2, 1)
        rows = torch.arange(frame[0], device=extent.device) < extent[:, 0]  # (B, H)
        columns = torch.arange(frame[1], device=extent.device) < extent[:, 1]  # (B, W)
        return rows[:, :, None] & columns[:, None]


@MODELS.register_module()
class GroundingDataPreprocessor(BaseDataPreprocessor):
    """Move the inputs of a batch to the model's device and normalize its images.

    Data samples remain on the CPU: losses collect their targets in one padded tensor and move that,
    which is one copy instead of one per sample and field.

    Args:
        mean: Means of red, green and blue, on the scale 0..255.
        std: Standard deviations of red, green and blue, on the scale 0..255.
        pad_size: Side of the square to which images are padded after normalization. If `None`, they
            are not padded.
        views: Arguments `mean`, `std` and `pad_size` of further views by name. With `mask_padding`,
            `inputs["valid"]` also has the mask (B, H, W) bool of a view, False for padding.
        non_blocking: Whether to copy to the device asynchronously, which helps with pinned memory.

    Raises:
        ValueError: `mean` or `std` does not have three values, or a value of `std` is not positive.
    """

    def __init__(
        self,
        *,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        pad_size: int | None = None,
        views: Mapping[str, Mapping[str, Any]] | None = None,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        self.normalizer = ImageNormalizer(mean=mean, std=std, pad_size=pad_size)
        options = {name: dict(view) for name, view in (views or {}).items()}
        self.masked_views = {
            name for name, view in options.items() if view.pop("mask_padding", False)
        }
        self.views = nn.ModuleDict(
            {name: ImageNormalizer(**view) for name, view in options.items()}
        )

    @property
    def mean(self) -> Tensor:
        """Means (3, 1, 1) of the images."""
        return self.normalizer.mean

    @property
    def std(self) -> Tensor:
        """Standard deviations (3, 1, 1) of the images."""
        return self.normalizer.std

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data: Batch made by `grounding_collate`, with `inputs["images"]` (B, 3, H, W) and
                `inputs["views"][name]` (B, 3, h, w), uint8 RGB.
            training: Whether the model trains; part of mmengine's interface and not used.

        Returns:
            New batch with `inputs` on the device and `images` and `views` normalized to float32.

        Raises:
            ValueError: A view has no arguments here, or is not in the batch.
        """
        inputs = self.cast_data(data["inputs"])
        samples: Sequence[GroundingDataSample] | None = data.get("data_samples")
        sizes = None
        if samples is not None and self.normalizer.pad_size is not None:
            sizes = [sample.img_shape for sample in samples]
        prepared = {**inputs, "images": self.normalizer(inputs["images"], sizes)}
        given = inputs.get("views", {})
        if set(given) != set(self.views):
            raise ValueError(
                f"data_preprocessor.views must be the views of the batch, {sorted(given)}, got "
                f"{sorted(self.views)}; make PackGroundingInputs(views=...) agree"
            )
        if given:
            shapes = {
                name: None if samples is None else [s.view_shapes[name] for s in samples]
                for name in given
            }
            prepared["views"] = {
                name: self.views[name](images, shapes[name]) for name, images in given.items()
            }
        if self.masked_views:
            prepared["valid"] = {
                name: self._normalizer_of(name).valid_pixels(
                    shapes[name] or (), tuple(prepared["views"][name].shape[-2:])
                )
                for name in sorted(self.masked_views)
            }
        return {"inputs": prepared, "data_samples": samples}

    def _normalizer_of(self, name: str) -> ImageNormalizer:
        normalizer = self.views[name]
        assert isinstance(normalizer, ImageNormalizer)
        return normalizer
