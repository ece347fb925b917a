"""Images for training: data modules, and batches cut from tensors.

The data modules need Lightning and torchvision; they are imported on first access.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recvae.data.datamodule import ImageFolderDataModule, MNISTDataModule

__all__ = ["ImageFolderDataModule", "MNISTDataModule"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from recvae.data import datamodule

    return getattr(datamodule, name)
