"""Web page for interactive grounding and for browsing datasets."""

from vgtoolbox.webui.access import Access, AccessError, Credentials, read_credentials
from vgtoolbox.webui.browsing import SplitBrowser
from vgtoolbox.webui.folders import page_folder
from vgtoolbox.webui.responder import PageError, PageResponse, RequestLimits, Responder

__all__ = [
    "Access",
    "AccessError",
    "Credentials",
    "PageError",
    "PageResponse",
    "RequestLimits",
    "Responder",
    "SplitBrowser",
    "page_folder",
    "read_credentials",
]
