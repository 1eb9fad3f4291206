"""Transforms that change colours and move nothing."""

from __future__ import annotations

import torch
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as tvf

from vgtoolbox.datasets.transforms.sample import Results
from vgtoolbox.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ColorJitter:
    """Change brightness, contrast, saturation and hue at random, in random order.

    As torchvision's transform of this name, but drawing from the sample's generator. Expressions
    name colours, so keep `hue` small or 0.

    Args:
        brightness: The factor is drawn from [max(0, 1 - brightness), 1 + brightness].
        contrast: Likewise.
        saturation: Likewise.
        hue: The shift is drawn from [-hue, hue], in turns of the colour circle, at most 0.5.
    """

    def __init__(
        self,
        *,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
    ) -> None:
        if min(brightness, contrast, saturation, hue) < 0 or hue > 0.5:
            raise ValueError(
                "expected brightness, contrast, saturation >= 0 and hue in 0..0.5, got "
                f"{brightness}, {contrast}, {saturation} and {hue}"
            )
        self.strengths = {
            "brightness": brightness,
            "contrast": contrast,
            "saturation": saturation,
            "hue": hue,
        }

    def __call__(self, results: Results) -> Results:
        """Jitter the image."""
        rng = results["rng"]
        image = results["image"].as_subclass(torch.Tensor)
        for name in rng.permutation([name for name, s in self.strengths.items() if s > 0]):
            strength = self.strengths[name]
            centre = 0.0 if name == "hue" else 1.0
            low = centre - strength if name == "hue" else max(0.0, centre - strength)
            image = _ADJUST[name](image, float(rng.uniform(low, centre + strength)))
        results["image"] = tv_tensors.Image(image)
        return results


_ADJUST = {
    "brightness": tvf.adjust_brightness_image,
    "contrast": tvf.adjust_contrast_image,
    "saturation": tvf.adjust_saturation_image,
    "hue": tvf.adjust_hue_image,
}
