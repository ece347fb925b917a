"""What codes images: the protocol that the container's users, `Codec` and the commands know.

An image coder turns images of one spec into groups of bytes and back. Random access, resume,
salvage, verification and the commands come with it. `recvae.codec.vae` is the first; one from
elsewhere is registered by the `format` that its `model.json` states.
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

Pixels: TypeAlias = NDArray[np.uint8]
"""Images of one spec: uint8 (n, height, width), or (n, height, width, channels) of 2 to 4."""

Bits: TypeAlias = Mapping[str, NDArray[np.float64]]
"""Where the bits of images go: ideal code lengths by part of the file, each (n,).

`kl`, which latents cost at least, is no part of the file.
"""


class ImageCoder(ABC):
    """Codes groups of images; immutable, but for the device that it is on.

    Attributes:
        name: what messages call it.
        spec: what all of its images must be; None if it takes more than one spec.
        channels: of the images that it takes, if it has no spec: grey and RGB, if it does not say
            that it takes 2 and 4, those with alpha, too.
        summary: what tables say of it, in about five words.
        parts: the keys of its bits.
        plain: its groups are one stream each, without tiles and layers, as version 1 has them.
        lossy: what comes back is not what was given; such a coder knows qualities.
        layers: how many layers, coarse to fine, it can make a picture of.
        tiles_apart: `decode_area` needs the streams of those tiles alone that meet the area.
        cpu_only: it runs on the CPU, without torch, which is then not imported; `to` is not called.
    """

    name: str
    spec: ImageSpec | None = None
    channels: tuple[int, ...] = (GREY, RGB)
    summary: str = ""
    parts: tuple[str, ...] = ("pixels",)
    plain: bool = True
    lossy: bool = False
    layers: int = 1
    tiles_apart: bool = False
    cpu_only: bool = False

    @property
    @abstractmethod
    def file_id(self) -> bytes:
        """The 16 bytes that tell in a file's header by which model it can be decoded."""

    @abstractmethod
    def encode(self, pixels: Pixels, group_size: int) -> tuple[list[Group], Bits]:
        """Code images in groups of `group_size`, the last of which may be smaller.

        The bytes of a group depend on its images alone. In a group of one layer, a stream of as
        many bytes as the pixels of its tile is these pixels, as they are: docs/format.md has it so.
        """

    @abstractmethod
    def decode(self, groups: Sequence[Group]) -> Pixels:
        """The images of groups of one spec, in order. InputError for what no encoder writes."""

    def check(self, spec: ImageSpec, num_images: int) -> None:
        """Raise InputError unless it codes images of this spec; levels do not matter."""
        own = self.spec
        if own is None:
            self._check_channels(spec)
            return
        if own.shape == spec.shape:
            return
        if own.channels == GREY != spec.channels:
            raise InputError(
                f"images are {spec.kind}: model {self.name!r} codes grey ones of {own.height} x "
                f"{own.width}; convert them first, for example with Pillow's "
                'Image.open(...).convert("L").save(...)'
            )
        expected = ", ".join(map(str, own.shape))
        raise InputError(
            f"images have shape {(num_images, *spec.shape)}: model {self.name!r} codes "
            f"(n, {expected}); train a model for other sizes"
        )

    def written(self, groups: Sequence[Group]) -> list[bool]:
        """Whether an encoder can have written each of these groups; here, whether it decodes."""
        return [self._decodes(group) for group in groups]

    def with_effort(self, effort: int) -> Self:
        """The same coder as a sender that takes longer for smaller files; 1 is the least effort.

        Raises InputError for an effort that it cannot make.
        """
        if effort == 1:
            return self
        raise InputError(f"effort is {effort}: model {self.name!r} knows only 1")

    def with_quality(self, quality: int) -> Self:
        """The same coder as a sender of a quality, 1 to 100; InputError if it knows none."""
        raise InputError(f"quality is {quality}: model {self.name!r} is lossless, leave it out")

    def quality_of(self, group: Group) -> int | None:
        """The quality that a group was sent with; None if nothing tells it."""
        return None

    def preview(self, groups: Sequence[Group], layers: int) -> Pixels:
        """As `decode`, of the first so many layers alone, 1 to `layers`; InputError beyond.

        Groups may lack the streams of later layers.
        """
        if layers != 1 or self.layers != 1:
            raise InputError(f"layers is {layers}: model {self.name!r} codes pictures in one")
        return self.decode(groups)

    def decode_area(self, group: Group, rows: slice, columns: slice) -> Pixels:
        """Part of the images of a group, (n, rows, columns, ...); slices lie within the images.

        With `tiles_apart` the streams of tiles that do not meet it are empty. This one decodes all.
        """
        return self.decode([group])[:, rows, columns]

    def negative_elbo_bits(
        self, pixels: Pixels, batch_size: int, generator: "torch.Generator"
    ) -> NDArray[np.float64]:
        """-ELBO of each image in bits, (n,), the bound of its file; InputError if there is none."""
        raise InputError(f"model {self.name!r} has no ELBO to compare with")

    def to(self, device: "torch.device") -> Self:
        """Move networks to a device; returns self."""
        return self

    def _check_channels(self, spec: ImageSpec) -> None:
        if spec.channels in self.channels:
            return
        advice = "take another model"
        if spec.channels in (GREY_ALPHA, RGBA) and spec.channels - 1 in self.channels:
            mode = "L" if spec.channels == GREY_ALPHA else "RGB"
            convert = f'Image.open(...).convert("{mode}").save(...)'
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
    "recvae-model-1": "recvae.codec.vae.model",
    "recvae-pixelwise-1": "recvae.codec.pixelwise.model",
}
"""What loads the model in a folder, by the `format` that its `model.json` states; or the module
that has it as `load`, imported when it is needed."""


def register_image_coder(format_name: str, load: Callable[[Path], ImageCoder]) -> None:
    """Let `load` make image coders of the folders whose `model.json` states this format.

    It raises ValueError or OSError for a folder that is no such model. Raises ValueError if the
    format is taken.
    """
    if format_name in IMAGE_CODERS:
        raise ValueError(f"format {format_name!r} is registered")
    IMAGE_CODERS[format_name] = load


def loader_of(format_name: str) -> Load:
    """What loads models of a format, which is in `IMAGE_CODERS`."""
    load = IMAGE_CODERS[format_name]
    return import_module(load).load if isinstance(load, str) else load
