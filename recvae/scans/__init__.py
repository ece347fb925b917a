"""The scans behind MNIST: black and white images that its grey pixels were computed from.

Nothing here knows a network; `recover` and `Scan.render` are each other's inverse.
"""

from recvae.scans.frame import Frame, joined, split
from recvae.scans.identify import Candidate, candidates
from recvae.scans.recovery import recover_all
from recvae.scans.resampling import BOX, MAX_SIZE, MIN_SIZE
from recvae.scans.scan import SIDE, Scan, recover

__all__ = [
    "BOX",
    "MAX_SIZE",
    "MIN_SIZE",
    "SIDE",
    "Candidate",
    "Frame",
    "Scan",
    "candidates",
    "joined",
    "recover",
    "recover_all",
    "split",
]
