"""Images in and out: files, folders, streams, and the samples of the package.

`formats` has a file for each format.
"""

from recvae.images.formats.idx import write_idx
from recvae.images.names import check_names, default_names
from recvae.images.reading import Images, image_stream, read_images, source_name
from recvae.images.samples import sample_images
from recvae.images.stream import ImageStream, regroup
from recvae.images.writing import write_chunks, write_images

__all__ = [
    "ImageStream",
    "Images",
    "check_names",
    "default_names",
    "image_stream",
    "read_images",
    "regroup",
    "sample_images",
    "source_name",
    "write_chunks",
    "write_idx",
    "write_images",
]
