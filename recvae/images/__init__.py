"""Images in and out: files, folders, streams, and the package's samples.

`formats` has a file for each format; importing them here registers them.
"""

# Messages list the formats in this order.
# isort: off
from recvae.images.formats import idx, npy, png, webp, tiff, bmp, ppm, qoi  # noqa: F401

# isort: on
from recvae.images.formats.idx import write_idx
from recvae.images.formats.registry import ArrayFormat, PictureFormat, register_format
from recvae.images.names import check_names, default_names
from recvae.images.reading import Images, holds_images, image_stream, read_images, source_name
from recvae.images.samples import sample_images
from recvae.images.spec import ImageSpec
from recvae.images.stream import ImageStream, regroup
from recvae.images.writing import write_chunks, write_images

__all__ = [
    "ArrayFormat",
    "ImageSpec",
    "ImageStream",
    "Images",
    "PictureFormat",
    "check_names",
    "default_names",
    "holds_images",
    "image_stream",
    "read_images",
    "register_format",
    "regroup",
    "sample_images",
    "source_name",
    "write_chunks",
    "write_idx",
    "write_images",
]
