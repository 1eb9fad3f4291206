"""Transforms that change colors without moving pixels."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from PIL import Image, ImageFilter
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as tvf

from vgtoolbox.datasets.transforms.sample import Results
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.utils.choices import check_choice

PhotometricBackend = Literal["torchvision", "pil"]

# torchvision dispatches on the type of image: tensors to its own kernels, Pillow images to Pillow.
_ADJUST: dict[str, Callable[[Any, float], Any]] = {
    "brightness": tvf.adjust_brightness,
    "contrast": tvf.adjust_contrast,
    "saturation": tvf.adjust_saturation,
    "hue": tvf.adjust_hue,
}


@TRANSFORMS.register_module()
class ColorJitter:
    """Change brightness, contrast, saturation and hue randomly, in random order.

    Same as torchvision's transform of this name, but random numbers come from the sample's
    generator. Expressions name colors, so keep `hue` small or 0.

    Args:
        brightness: Strength; the factor is drawn from [max(0, 1 - brightness), 1 + brightness].
        contrast: Strength; the factor is drawn from [max(0, 1 - contrast), 1 + contrast].
        saturation: Strength; the factor is drawn from [max(0, 1 - saturation), 1 + saturation].
        hue: Strength, at most 0.5; the shift is drawn from [-hue, hue], in turns of the color
            circle.
        backend: "torchvision", or "pil", whose result differs by one gray level (TransVG, EEVG and
            PLVL use Pillow).
    """

    def __init__(
        self,
        *,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        backend: PhotometricBackend = "torchvision",
    ) -> None:
        if min(brightness, contrast, saturation, hue) < 0 or hue > 0.5:
            raise ValueError(
                "brightness, contrast and saturation must be 0 or more and hue in [0, 0.5], got "
                f"{brightness}, {contrast}, {saturation} and {hue}"
            )
        check_choice("backend", backend, get_args(PhotometricBackend))
        self.strengths = {
            "brightness": brightness,
            "contrast": contrast,
            "saturation": saturation,
            "hue": hue,
        }
        self.backend = backend

    def __call__(self, results: Results) -> Results:
        """Jitter the image."""
        rng = results["rng"]
        image = results["image"].as_subclass(torch.Tensor)
        if self.backend == "pil":
            image = tvf.to_pil_image(image)
        for name in rng.permutation([name for name, s in self.strengths.items() if s > 0]):
            strength = self.strengths[name]
            center = 0.0 if name == "hue" else 1.0
            low = center - strength if name == "hue" else max(0.0, center - strength)
            image = _ADJUST[name](image, float(rng.uniform(low, center + strength)))
        results["image"] = _as_image(image)
        return results


@TRANSFORMS.register_module()
class GaussianBlur:
    """Blur the image with a Gaussian of random width.

    Args:
        radius: Range of the standard deviation in pixels.
        backend: "torchvision", or "pil", which approximates the Gaussian by boxes (as published in
            TransVG, EEVG, PLVL).
    """

    def __init__(
        self,
        radius: Sequence[float] = (0.1, 2.0),
        *,
        backend: PhotometricBackend = "torchvision",
    ) -> None:
        if not 0 < radius[0] <= radius[1]:
            raise ValueError(f"radius must be a range of positive numbers, got {radius}")
        check_choice("backend", backend, get_args(PhotometricBackend))
        self.radius = radius
        self.backend = backend

    def __call__(self, results: Results) -> Results:
        """Blur."""
        sigma = float(results["rng"].uniform(*self.radius))
        image = results["image"].as_subclass(torch.Tensor)
        if self.backend == "pil":
            blurred = tvf.to_pil_image(image).filter(ImageFilter.GaussianBlur(sigma))
        else:
            # Three standard deviations on either side; reflection needs a side longer than half the
            # kernel.
            reach = min(math.ceil(3 * sigma), min(image.shape[-2:]) - 1)
            blurred = tvf.gaussian_blur_image(image, [2 * reach + 1] * 2, [sigma] * 2)
        results["image"] = _as_image(blurred)
        return results


@TRANSFORMS.register_module()
class RandomJPEG:
    """Compress the image as a JPEG of random quality and read it back (MLLMSeg's training).

    Args:
        quality: Minimum and maximum quality, in 1..100.
    """

    def __init__(self, quality: Sequence[int] = (75, 100)) -> None:
        if not 1 <= quality[0] <= quality[1] <= 100:
            raise ValueError(f"quality must be a range within 1..100, got {quality}")
        self.quality = quality

    def __call__(self, results: Results) -> Results:
        """Compress with Pillow, as published."""
        quality = int(results["rng"].integers(self.quality[0], self.quality[1] + 1))
        stream = io.BytesIO()
        tvf.to_pil_image(results["image"].as_subclass(torch.Tensor)).save(
            stream, "JPEG", quality=quality
        )
        results["image"] = _as_image(Image.open(stream, formats=["JPEG"]))
        return results


def _as_image(image: torch.Tensor | Image.Image) -> tv_tensors.Image:
    """Return a tensor or a Pillow image as the image (3, H, W) of a sample."""
    pixels = image if isinstance(image, torch.Tensor) else tvf.pil_to_tensor(image)
    return tv_tensors.Image(pixels)
