"""Matchers: assign predictions to targets for training."""

from vgtoolbox.models.matchers.hungarian import HungarianMatcher, Matches

__all__ = ["HungarianMatcher", "Matches"]
