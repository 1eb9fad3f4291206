"""Prediction files: the schema, readers of other formats, and scoring without a model."""
