"""Backbones: pixels (and text, where they read both) to features."""

from vgtoolbox.models.backbones.beit3 import BEiT3, VisionLanguageFeatures

__all__ = ["BEiT3", "VisionLanguageFeatures"]
