"""Cache of decoded images and masks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class ImageCache:
    """Least recently used (LRU) cache of images or masks by name, with a limited size in bytes.

    Each worker process has its own cache. Returned arrays are shared and must not be modified.

    Args:
        max_bytes: Maximum size in bytes. The least recently used images are dropped first; an image
            that is larger by itself is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._images: OrderedDict[str, Pixels] = OrderedDict()

    def __len__(self) -> int:
        return len(self._images)

    def get(self, name: str, read: Callable[[], Pixels]) -> Pixels:
        """Return the image called `name`, which is read by `read` if it is not in the cache."""
        if name in self._images:
            self._images.move_to_end(name)
            return self._images[name]
        pixels = read()
        if pixels.nbytes <= self.max_bytes:
            self._images[name] = pixels
            self.num_bytes += pixels.nbytes
        while self.num_bytes > self.max_bytes:
            _, dropped = self._images.popitem(last=False)
            self.num_bytes -= dropped.nbytes
        return pixels
