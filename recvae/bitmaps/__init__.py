"""The scans behind MNIST: bitmaps, black and white, that its grey pixels were computed from.

`recover` and `Bitmap.render` are each other's inverse; nothing but `network` knows a network.
"""

from recvae.bitmaps.bitmap import SIDE, Bitmap, recover
from recvae.bitmaps.frame import Frame, joined, split
from recvae.bitmaps.identify import Candidate, candidates
from recvae.bitmaps.recovery import Recovery
from recvae.bitmaps.resampling import BOX, MAX_SIZE, MIN_SIZE

__all__ = [
    "BOX",
    "MAX_SIZE",
    "MIN_SIZE",
    "SIDE",
    "Bitmap",
    "Candidate",
    "Frame",
    "Recovery",
    "candidates",
    "joined",
    "recover",
    "split",
]
