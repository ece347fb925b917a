"""Images in and out: files, folders, samples, and batches for training.

The data modules need Lightning and torchvision; they are imported when they are first asked for.
"""

from typing import TYPE_CHECKING, Any

from recvae.data.atomic import atomic_file, atomic_folder
from recvae.data.idx import write_idx
from recvae.data.images import Images, image_stream, read_images, source_name
from recvae.data.names import check_names, default_names
from recvae.data.os_errors import translate_os_errors
from recvae.data.reference_codecs import ReferenceSize, reference_sizes
from recvae.data.samples import sample_images
from recvae.data.stream import ImageStream, regroup
from recvae.data.writer import write_chunks, write_images

if TYPE_CHECKING:
    from recvae.data.datamodule import ImageFolderDataModule, MNISTDataModule

__all__ = [
    "ImageFolderDataModule",
    "ImageStream",
    "Images",
    "MNISTDataModule",
    "ReferenceSize",
    "atomic_file",
    "atomic_folder",
    "check_names",
    "default_names",
    "image_stream",
    "read_images",
    "reference_sizes",
    "regroup",
    "sample_images",
    "source_name",
    "translate_os_errors",
    "write_chunks",
    "write_idx",
    "write_images",
]


def __getattr__(name: str) -> Any:
    if name not in ("ImageFolderDataModule", "MNISTDataModule"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from recvae.data import datamodule

    return getattr(datamodule, name)
