"""Helpers independent of models and data: files, pickles, option checks, interoperability."""
