"""Backbones: extract features from images, some of them from images and text together."""

from vgtoolbox.models.backbones.beit3 import BEiT3, VisionLanguageFeatures
from vgtoolbox.models.backbones.sam_image_encoder import SAMImageEncoder
from vgtoolbox.models.backbones.vitdet import ViTDet

__all__ = ["BEiT3", "SAMImageEncoder", "ViTDet", "VisionLanguageFeatures"]
