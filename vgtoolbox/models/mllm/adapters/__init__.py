"""Adapters over published multimodal language models."""
