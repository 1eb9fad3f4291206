"""Image sources, decoding, and pairing of images with expressions."""
