"""Backbones: pixels (and text, where they read both) to features."""

from vgtoolbox.models.backbones.beit3 import BEiT3, VisionLanguageFeatures
from vgtoolbox.models.backbones.vitdet import ViTDet

__all__ = ["BEiT3", "ViTDet", "VisionLanguageFeatures"]
