"""Recovers the bitmaps of many images on all processors, with a cache."""

import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recvae.bitmaps.bitmap import Bitmap, recover

REMEMBERED = 1 << 12  # images


class Recovery:
    """`recover` for many images, with a cache of recent ones.

    A copy starts with an empty cache.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Bitmap | None] = OrderedDict()

    def __call__(
        self, images: NDArray[np.uint8], remembered: int | None = REMEMBERED
    ) -> list[Bitmap | None]:
        """Recover the bitmaps of images (n, 28, 28) uint8, None where there is none.

        Those of the latest `remembered` images are cached; None caches all.
        """
        keys = [image.tobytes() for image in images]
        new = {k: image for k, image in zip(keys, images, strict=True) if k not in self._known}
        if new:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                self._known.update(zip(new, pool.map(recover, new.values()), strict=True))
        bitmaps = [self._known[key] for key in keys]
        for key in keys:
            self._known.move_to_end(key)
        while remembered is not None and len(self._known) > remembered:
            self._known.popitem(last=False)
        return bitmaps

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recovery":
        return Recovery()
