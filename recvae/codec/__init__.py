"""Images to files and back: the codec, image coders behind one protocol, the container.

Image coders that need torch import it; hence `CodecModel` is imported on first access.
"""

from typing import TYPE_CHECKING, Any

from recvae.codec.bound import NegativeElbo
from recvae.codec.codec import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_GROUP_SIZE,
    DEFAULT_MODEL,
    Codec,
    load,
    open_images,
)
from recvae.codec.compressed_images import CompressedImages
from recvae.codec.image_coder import IMAGE_CODERS, ImageCoder, register_image_coder
from recvae.codec.models import load_model, shipped_model_name, shipped_models
from recvae.codec.quality import FoundQuality, find_quality
from recvae.codec.report import CompressionReport
from recvae.codec.resume import compress_file
from recvae.codec.salvage import salvage
from recvae.codec.truncated import TruncatedImages, open_truncated
from recvae.images.psnr import psnr_db

if TYPE_CHECKING:
    from recvae.codec.vae.model import CodecModel

__all__ = [
    "DEFAULT_BATCH_SIZE",
    "DEFAULT_GROUP_SIZE",
    "DEFAULT_MODEL",
    "IMAGE_CODERS",
    "Codec",
    "CodecModel",
    "CompressedImages",
    "CompressionReport",
    "FoundQuality",
    "ImageCoder",
    "NegativeElbo",
    "TruncatedImages",
    "compress_file",
    "find_quality",
    "load",
    "load_model",
    "open_images",
    "open_truncated",
    "psnr_db",
    "register_image_coder",
    "salvage",
    "shipped_model_name",
    "shipped_models",
]


def __getattr__(name: str) -> Any:
    if name != "CodecModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from recvae.codec.vae.model import CodecModel

    return CodecModel
