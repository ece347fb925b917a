"""Lossless image compression with variational autoencoders and relative entropy coding.

codec = recvae.load("mnist-vae")
data = codec.compress(images)          # uint8 (n, 28, 28) -> bytes
images = codec.decompress(data)
image = recvae.open("digits.recvae")[7]
"""

from typing import TYPE_CHECKING, Any

from recvae.errors import InputError
from recvae.threads import let_products_survive_forks

if TYPE_CHECKING:
    from recvae.codec import Codec, CompressedImages, load
    from recvae.codec import open_images as open

let_products_survive_forks()

__version__ = "0.1.0"
__all__ = ["Codec", "CompressedImages", "InputError", "load", "open"]

# Imported on first access, so that reading images does not wait for torch.
_FROM_CODEC = {
    "Codec": "Codec",
    "CompressedImages": "CompressedImages",
    "load": "load",
    "open": "open_images",
}


def __getattr__(name: str) -> Any:
    if name not in _FROM_CODEC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from recvae import codec

    return getattr(codec, _FROM_CODEC[name])
