"""Parts of `tools/dev/fuzz.py`: formats, mutators, the worker process and its parent."""
