"""The page to play with: what it does, and how it looks."""

from vgtoolbox.inference.web.answering import Answer, Limits, PageError, Responder
from vgtoolbox.inference.web.browsing import SplitBrowser

__all__ = ["Answer", "Limits", "PageError", "Responder", "SplitBrowser"]
