"""Default thresholds of predictions."""

from __future__ import annotations

PUBLISHED_SCORE_THR = 0.7
"""Score threshold of targets in InstanceVG (arXiv 2509.13747) and in gRefCOCO's GREC evaluator."""
