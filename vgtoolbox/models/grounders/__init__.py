"""grounders."""
