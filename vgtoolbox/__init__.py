"""vgtoolbox: a config-driven toolbox for visual grounding."""

from vgtoolbox.version import __version__

__all__ = ["__version__"]
