"""The interface of image coders, which `Codec`, the container's users and the commands rely on.

An image coder turns images of one spec into groups of bytes and back. Random access, resume,
salvage, verification and the commands build on it. `recvae.codec.vae` is one; external ones are
registered under the `format` that their `model.json` states.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recvae.codec.container import Group
from recvae.errors import InputError
from recvae.images.spec import GREY, GREY_ALPHA, KINDS, RGB, RGBA, ImageSpec

if TYPE_CHECKING:
    import torch

PILLOW_MODES = {GREY: "L", GREY_ALPHA: "LA", RGB: "RGB", RGBA: "RGBA"}

Pixels: TypeAlias = NDArray[np.uint8]
"""Images of one spec: uint8 (n, height, width), or (n, height, width, channels) of 2 to 4."""

Bits: TypeAlias = Mapping[str, NDArray[np.float64]]
"""The bits of images: ideal code lengths by part of the file, each (n,).

`kl`, the least that latents cost, is not part of the file.
"""


class ImageCoder(ABC):
    """Codes groups of images; immutable except for its device.

    Attributes:
        name: its name in messages.
        spec: the spec that all of its images must have; None if it takes several.
        channels: channels of the images that it takes, if it has no spec: by default grey and RGB;
            2 and 4, those with alpha, must be listed.
        summary: a description for tables, in about five words.
        parts: the keys of its bits.
        plain: whether its groups are one stream each, without tiles and layers, as in version 1.
        lossy: whether decoded images differ from the originals; a lossy coder has qualities, or
            refuses them if it has but one.
        group_size: images in a group unless a user chooses; None for the codec's own default.
        layers: number of layers, coarse to fine, that it can decode a picture from.
        tiles_apart: whether `decode_area` needs only the streams of tiles that overlap the area.
        cpu_only: it runs on the CPU, without torch, which is then not imported; `to` is not called.
    """

    name: str
    spec: ImageSpec | None = None
    channels: tuple[int, ...] = (GREY, RGB)
    summary: str = ""
    parts: tuple[str, ...] = ("pixels",)
    plain: bool = True
    lossy: bool = False
    group_size: int | None = None
    layers: int = 1
    tiles_apart: bool = False
    cpu_only: bool = False

    @property
    def groups_at_once(self) -> int:
        """The number of groups that it codes in parallel: batches have at least as many."""
        return 1

    @property
    @abstractmethod
    def file_id(self) -> bytes:
        """The 16 bytes in a file's header that identify the model to decode it with."""

    @abstractmethod
    def encode(self, pixels: Pixels, group_size: int) -> tuple[list[Group], Bits]:
        """Code images in groups of `group_size`, the last of which may be smaller.

        The bytes of a group depend on its images only. In a group of one layer, a stream with as
        many bytes as its tile's pixels is these pixels, uncompressed: see docs/format.md.
        """

    @abstractmethod
    def decode(self, groups: Sequence[Group]) -> Pixels:
        """Decode groups of one spec, in order; InputError for data that no encoder writes."""

    def check(self, spec: ImageSpec, num_images: int) -> None:
        """Raise InputError unless it codes images of this spec, whatever their levels."""
        own = self.spec
        if own is None:
            self._check_channels(spec)
            return
        if own.shape == spec.shape:
            return
        if own.channels != spec.channels:
            raise InputError(
                f"images are {spec.kind}: model {self.name!r} codes {own.kind} ones of {own.height}"
                f" x {own.width}; convert them first, for example with Pillow's "
                f'Image.open(...).convert("{PILLOW_MODES[own.channels]}").save(...)'
            )
        expected = ", ".join(map(str, own.shape))
        raise InputError(
            f"images have shape {(num_images, *spec.shape)}: model {self.name!r} codes "
            f"(n, {expected}); train a model for other sizes"
        )

    def written(self, groups: Sequence[Group]) -> list[bool]:
        """Whether an encoder can have written each group; by default, whether it decodes."""
        return [self._decodes(group) for group in groups]

    def with_effort(self, effort: int) -> Self:
        """A copy whose sender takes longer for smaller files; 1 is the least effort.

        Raises InputError for an effort that it does not support.
        """
        if effort == 1:
            return self
        raise InputError(f"effort is {effort}: model {self.name!r} supports only 1")

    def with_quality(self, quality: int) -> Self:
        """A copy that encodes at a quality, 1 to 100; InputError if it has none."""
        raise InputError(f"quality is {quality}: model {self.name!r} is lossless, leave it out")

    def quality_of(self, group: Group) -> int | None:
        """The quality that a group was encoded at; None if unknown."""
        return None

    def preview(self, groups: Sequence[Group], layers: int) -> Pixels:
        """Decode only the first `layers` layers, 1 to the coder's `layers`; InputError beyond.

        Groups may lack the streams of later layers.
        """
        if layers != 1 or self.layers != 1:
            raise InputError(f"layers is {layers}: model {self.name!r} codes pictures in one")
        return self.decode(groups)

    def decode_area(self, group: Group, rows: slice, columns: slice) -> Pixels:
        """Decode part of a group's images, (n, rows, columns, ...); slices lie within the images.

        With `tiles_apart`, streams of tiles outside the area are empty. By default, decode all.
        """
        return self.decode([group])[:, rows, columns]

    def negative_elbo_bits(
        self, pixels: Pixels, batch_size: int, generator: "torch.Generator"
    ) -> NDArray[np.float64]:
        """-ELBO of each image in bits, (n,), a bound on its file; InputError if there is none."""
        raise InputError(f"model {self.name!r} has no ELBO")

    def to(self, device: "torch.device") -> Self:
        """Move the networks to a device; return self."""
        return self

    def _check_channels(self, spec: ImageSpec) -> None:
        if spec.channels in self.channels:
            return
        advice = "choose another model"
        if spec.channels in (GREY_ALPHA, RGBA) and spec.channels - 1 in self.channels:
            convert = f'Image.open(...).convert("{PILLOW_MODES[spec.channels - 1]}").save(...)'
            advice += f", or drop alpha, for example with Pillow's {convert}"
        kinds = " and ".join(KINDS[known] for known in self.channels)
        raise InputError(f"images are {spec.kind}: model {self.name!r} codes {kinds}; {advice}")

    def _decodes(self, group: Group) -> bool:
        try:
            self.decode([group])
        except InputError:
            return False
        return True


Load: TypeAlias = Callable[[Path], ImageCoder]

IMAGE_CODERS: dict[str, Load | str] = {
    "recvae-hierarchy-1": "recvae.codec.hierarchy.model",
    "recvae-inr-1": "recvae.codec.inr.model",
    "recvae-model-1": "recvae.codec.vae.model",
    "recvae-pixelwise-1": "recvae.codec.pixelwise.model",
}
"""Loads the model in a folder, chosen by the `format` in its `model.json`; or the name of a module
that defines it as `load`, imported when needed."""


def register_image_coder(format_name: str, load: Callable[[Path], ImageCoder]) -> None:
    """Register `load` for the folders whose `model.json` states this format.

    `load` raises ValueError or OSError for a folder that is not such a model. Raises ValueError if
    the format is taken.
    """
    if format_name in IMAGE_CODERS:
        raise ValueError(f"format {format_name!r} is already registered")
    IMAGE_CODERS[format_name] = load


def loader_of(format_name: str) -> Load:
    """The function that loads models of a format in `IMAGE_CODERS`."""
    load = IMAGE_CODERS[format_name]
    return import_module(load).load if isinstance(load, str) else load
