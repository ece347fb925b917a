"""The scans behind MNIST: black and white bitmaps that its grey pixels were computed from.

`recover` and `Bitmap.render` are inverses of each other; only `network` depends on networks.
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
