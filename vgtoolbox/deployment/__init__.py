"""Acceleration, export and profiling of trained models."""
