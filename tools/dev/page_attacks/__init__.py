"""Hostile requests to the page, and the process that they are sent to."""
