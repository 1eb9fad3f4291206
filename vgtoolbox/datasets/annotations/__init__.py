"""Parsing and validation that the readers share."""
