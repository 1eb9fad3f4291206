"""Necks: backbone features to feature pyramids."""

from vgtoolbox.models.necks.simple_fpn import SimpleFPN

__all__ = ["SimpleFPN"]
