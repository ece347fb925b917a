"""Images to bytes and back: models, groups, the range coder, the file."""

from recvae.codec.codec import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_GROUP_SIZE,
    DEFAULT_MODEL,
    Codec,
    CompressedImages,
    load,
    open_images,
)
from recvae.codec.report import CompressionReport
from recvae.codec.resume import compress_file
from recvae.codec.salvage import salvage
from recvae.codec.vae.elbo import NegativeElbo
from recvae.codec.vae.model import CodecModel, load_model, shipped_model_name, shipped_models

__all__ = [
    "DEFAULT_BATCH_SIZE",
    "DEFAULT_GROUP_SIZE",
    "DEFAULT_MODEL",
    "Codec",
    "CodecModel",
    "CompressedImages",
    "CompressionReport",
    "NegativeElbo",
    "compress_file",
    "load",
    "load_model",
    "open_images",
    "salvage",
    "shipped_model_name",
    "shipped_models",
]
