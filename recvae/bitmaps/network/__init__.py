"""The network "scans", which codes MNIST's images as the bitmaps they were computed from."""

from recvae.bitmaps.network.decoder import NETWORK

__all__ = ["NETWORK"]
