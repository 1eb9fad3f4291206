"""Transforms that move pixels: image, boxes and masks together, and words where they must."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import torch
from torch.nn import functional as F
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as tvf

from vgtoolbox.datasets.transforms.sample import Results
from vgtoolbox.datasets.transforms.text import swap_left_and_right
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import resize_masks

ResizeBackend = Literal["cv2", "torchvision"]


@TRANSFORMS.register_module()
class Resize:
    """Resize image, boxes and masks to the size of the network input.

    Masks are always resized by nearest neighbour in OpenCV's convention, which the published
    systems are trained and measured with.

    Args:
        size: (H, W), or one number for both.
        backend: "cv2": bilinear without antialiasing, as published; "torchvision": with it.
        keep_ratio: Fit the image into `size` and pad below and right, instead of stretching it.
        pad_value: Grey level of that padding, 0..255.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        backend: ResizeBackend = "cv2",
        keep_ratio: bool = False,
        pad_value: int = 0,
    ) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        if min(height, width) < 1:
            raise ValueError(f"size must be positive, got {size}")
        if backend not in ("cv2", "torchvision"):
            raise ValueError(f"backend must be 'cv2' or 'torchvision', got {backend!r}")
        self.size = (height, width)
        self.backend = backend
        self.keep_ratio = keep_ratio
        self.pad_value = pad_value

    def __call__(self, results: Results) -> Results:
        """Resize, and set what leads back to the original frame.

        `scale_factor` (x, y): input coordinate = original coordinate * factor; `img_shape` (H, W):
        what the image takes of the input, padding left out.
        """
        height, width = results["image"].shape[-2:]
        content = self._content_size(height, width)
        factor = (content[1] / width, content[0] / height)
        results["image"] = tv_tensors.Image(
            self._pad(self._resize_image(results["image"], content), self.pad_value)
        )
        if "boxes" in results:
            boxes = results["boxes"].as_subclass(torch.Tensor) * torch.tensor(factor * 2)
            results["boxes"] = tv_tensors.wrap(boxes, like=results["boxes"], canvas_size=self.size)
            masks = resize_masks(results["masks"].as_subclass(torch.Tensor), content)
            results["masks"] = tv_tensors.Mask(self._pad(masks, 0))
        results["img_shape"] = content
        before = results.get("scale_factor", (1.0, 1.0))
        results["scale_factor"] = (before[0] * factor[0], before[1] * factor[1])
        return results

    def _content_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (H, W) that the image itself takes of the input."""
        if not self.keep_ratio:
            return self.size
        scale = min(self.size[0] / height, self.size[1] / width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _resize_image(self, image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Resize (3, H, W) uint8."""
        image = image.as_subclass(torch.Tensor)
        if image.shape[-2:] == size:
            return image
        if self.backend == "torchvision":
            return tvf.resize_image(image, list(size), antialias=True)
        pixels = image.permute(1, 2, 0).numpy()
        resized = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_LINEAR)
        return torch.from_numpy(resized).permute(2, 0, 1)

    def _pad(self, planes: torch.Tensor, value: int) -> torch.Tensor:
        """Pad (..., h, w) below and right to `size`."""
        below, right = self.size[0] - planes.shape[-2], self.size[1] - planes.shape[-1]
        return F.pad(planes, (0, right, 0, below), value=value) if below or right else planes


@TRANSFORMS.register_module()
class RandomHorizontalFlip:
    """Mirror image, boxes and masks, and swap left and right in the expression.

    Args:
        prob: Probability of mirroring a sample.
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0.0 <= prob <= 1.0:
            raise ValueError(f"prob must lie in 0..1, got {prob}")
        self.prob = prob

    def __call__(self, results: Results) -> Results:
        """Mirror the sample or leave it, and toggle `flip` where mirrored."""
        if results["rng"].random() >= self.prob:
            return results
        for key in ("image", "boxes", "masks"):
            if key in results:
                results[key] = tvf.horizontal_flip(results[key])
        if "expression" in results:
            results["expression"] = swap_left_and_right(results["expression"])
        results["flip"] = not results.get("flip", False)
        return results
