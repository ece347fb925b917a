"""Training of the pixel by pixel networks, for colour and grey at once."""

from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor, nn

from recvae.errors import InputError
from recvae.images.spec import GREY, RGB
from recvae.pixelwise.arguments import PixelArguments
from recvae.pixelwise.network import INPUT_UNIT, PixelNetwork, law_bits
from recvae.pixelwise.rows import find_rows, shape_of
from recvae.vae.one_cycle import OneCycleModule

FILTER_MEMORY = 0.998  # of the filters' initial weights, from crop to crop
LUMA = torch.tensor([299, 587, 114])  # in thousandths: ITU-R BT.601


class PixelPredictor(OneCycleModule):
    """Minimises the bits of pixels, given what precedes them in raster order.

    In each crop of a batch the adaptive filters run over all pixels, and `pixels_per_crop` random
    ones train the networks. The initial weights of the filters are the mean of what they learned on
    earlier crops.

    Args:
        rgb: the network for colour.
        grey: the network for grey, trained on the luma of the same crops.
        pixels_per_crop: number of pixels of a crop to train on.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: weight decay of AdamW.
        gradient_clip: largest norm of the gradient.
        compile: run the networks through torch.compile.
    """

    def __init__(
        self,
        rgb: PixelArguments = PixelArguments(),  # noqa: B008 (frozen)
        grey: PixelArguments = PixelArguments(hidden=(64, 64)),  # noqa: B008 (frozen)
        pixels_per_crop: int = 1024,
        learning_rate: float = 4e-3,
        weight_decay: float = 1e-4,
        gradient_clip: float = 1.0,
        compile: bool = False,
    ) -> None:
        super().__init__(learning_rate, weight_decay, gradient_clip)
        if pixels_per_crop < 1:
            raise InputError(f"pixels_per_crop is {pixels_per_crop}: it must be at least 1")
        given = {
            name: PixelArguments(**value) if isinstance(value, dict) else value
            for name, value in (("rgb", rgb), ("grey", grey))
        }
        plain = {
            name: {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(value).items()}
            for name, value in given.items()
        }
        self.save_hyperparameters(
            plain
            | {
                "pixels_per_crop": pixels_per_crop,
                "learning_rate": learning_rate,
                "weight_decay": weight_decay,
                "gradient_clip": gradient_clip,
                "compile": compile,
            }
        )
        self.pixels_per_crop = pixels_per_crop
        self.arguments = {RGB: given["rgb"], GREY: given["grey"]}
        self.shapes = {
            channels: shape_of(own.reach, own.filter_reach, own.filter_rate)
            for channels, own in self.arguments.items()
        }
        self.networks = nn.ModuleDict(
            {str(c): PixelNetwork(own, c) for c, own in self.arguments.items()}
        )
        for channels, own in self.arguments.items():
            start = torch.zeros(channels, own.num_filter_inputs(channels))
            self.register_buffer(f"filters_{channels}", start)
        self._forwards = {
            c: torch.compile(network.forward) if compile else network.forward
            for c, network in ((c, self.networks[str(c)]) for c in self.arguments)
        }

    def check_images(self, images: Tensor) -> None:
        """Raise `InputError` for pictures (n, 3, height, width) that the networks do not fit."""
        if images.shape[1] != RGB:
            raise InputError(
                "the images are grey, of one channel: a PixelPredictor needs those of "
                "recvae.data.pictures.PictureDataModule, see configs/photos.yaml"
            )

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        crops = batch.permute(0, 2, 3, 1).cpu()
        loss = torch.zeros((), device=batch.device)
        for channels, images in ((RGB, crops), (GREY, to_grey(crops))):
            bits = self._bits(channels, images.numpy(), learning=True).mean() / channels
            self.log(f"train/{_NAMES[channels]}_bits", bits, prog_bar=True)
            loss = loss + bits
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self._measure("val", batch)

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        self._measure("test", batch)

    def _measure(self, split: str, batch: Tensor) -> None:
        """Log bits per value for colour and for grey, and their sum as the loss."""
        crops = batch.permute(0, 2, 3, 1).cpu()
        total = torch.zeros((), device=batch.device)
        for channels, images in ((RGB, crops), (GREY, to_grey(crops))):
            bits = self._bits(channels, images.numpy(), learning=False).mean() / channels
            self.log(f"{split}/{_NAMES[channels]}_bits", bits)
            total = total + bits
        self.log(f"{split}/loss", total, prog_bar=True)

    def _bits(self, channels: int, images: np.ndarray, learning: bool) -> Tensor:
        """Bits of pixels of images (n, h, w, c): some of them if `learning`, else all."""
        start: Tensor = getattr(self, f"filters_{channels}")
        found, ends = [], []
        for image in images:
            chosen = np.ones(image.shape[:2], np.bool_)
            if learning:
                share = self.pixels_per_crop / chosen.size
                chosen = (torch.rand(chosen.shape) < share).numpy()
            filters = start.round().int().cpu().numpy()
            pixels = np.ascontiguousarray(image)
            found.append(find_rows(pixels, chosen, self.shapes[channels], filters))
            ends.append(torch.from_numpy(filters).float())
        if learning:
            for end in ends:
                start.lerp_(end.to(start.device), 1 - FILTER_MEMORY)
        inputs, values, medians, predictions = (
            torch.from_numpy(np.concatenate(part)).to(self.device)
            for part in zip(*found, strict=True)
        )
        outputs = self._forwards[channels](inputs.float() / INPUT_UNIT)
        components = self.arguments[channels].components
        return law_bits(outputs, values, medians, predictions.float() / 16, components)


_NAMES = {RGB: "rgb", GREY: "grey"}


def to_grey(images: Tensor) -> Tensor:
    """Luma of images (n, h, w, 3) uint8 as (n, h, w, 1)."""
    luma = (images.int() * LUMA).sum(-1, keepdim=True)
    return ((luma + 500) // 1000).to(torch.uint8)
