"""The network "scans", which codes images of MNIST as the bitmaps that they were computed from."""

from recvae.bitmaps.network.decoder import NETWORK

__all__ = ["NETWORK"]
