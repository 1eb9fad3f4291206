"""Result objects and the files they are written to."""
