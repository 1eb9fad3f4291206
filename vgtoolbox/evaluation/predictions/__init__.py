"""Prediction files: the schema, readers of foreign formats, and scoring without a model."""
