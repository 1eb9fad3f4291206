"""Matchers: which prediction answers for which target."""

from vgtoolbox.models.matchers.hungarian import HungarianMatcher, Matches

__all__ = ["HungarianMatcher", "Matches"]
