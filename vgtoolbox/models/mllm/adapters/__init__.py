"""Adapters for published multimodal language models."""
