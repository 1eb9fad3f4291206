"""Web page for interactive grounding and for browsing datasets."""

from vgtoolbox.webui.browsing import SplitBrowser
from vgtoolbox.webui.responder import PageError, PageResponse, RequestLimits, Responder

__all__ = ["PageError", "PageResponse", "RequestLimits", "Responder", "SplitBrowser"]
