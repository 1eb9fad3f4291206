"""What the transforms hand on: a dict that begins as a dataset's record."""

from __future__ import annotations

from typing import Any

Results = dict[str, Any]


def describe_sample(results: Results) -> str:
    """Name a sample and its file, for error messages."""
    parts = []
    if "sample_id" in results:
        parts.append(f"sample {results['sample_id']}")
    if "img_path" in results:
        parts.append(f"image {results['img_path']}")
    return ", ".join(parts) or "a sample without id and path"
