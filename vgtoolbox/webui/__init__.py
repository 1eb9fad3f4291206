"""The page to play with: what it does, and how it looks."""

from vgtoolbox.webui.answering import Answer, Limits, PageError, Responder
from vgtoolbox.webui.browsing import SplitBrowser

__all__ = ["Answer", "Limits", "PageError", "Responder", "SplitBrowser"]
