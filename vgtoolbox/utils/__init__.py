"""Helpers without any knowledge of models or data: files, pickles, choices, interoperation."""
