"""Backbones: extract features from images, some of them from images and text together."""

from vgtoolbox.models.backbones.beit3 import BEiT3, VisionLanguageFeatures
from vgtoolbox.models.backbones.vitdet import ViTDet

__all__ = ["BEiT3", "ViTDet", "VisionLanguageFeatures"]
