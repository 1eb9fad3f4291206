"""Decoded images and masks that are asked for again soon."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class ImageCache:
    """The images or masks used last, by name, bounded in bytes; each worker process has its own.

    What is handed out is shared: nobody may write into it.

    Args:
        max_bytes: Images are dropped, those unused for longest first, to stay within it. An image
            that is larger than that by itself is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._images: OrderedDict[str, Pixels] = OrderedDict()

    def __len__(self) -> int:
        return len(self._images)

    def get(self, name: str, read: Callable[[], Pixels]) -> Pixels:
        """Return the image called `name`, by `read` where it is not here."""
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
