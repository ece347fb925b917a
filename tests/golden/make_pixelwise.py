"""Golden files of pixelwise coded pictures: `PYTHONPATH=tests python -m golden.make_pixelwise`.

For each of its models, pictures of all kinds, sizes and modes, and the pictures beside each file.
Some models are small, with random weights, corrected and not, so that the format stays readable
whatever ships. Existing files are kept for ever; when another model ships, this adds what is
missing.
"""

from collections.abc import Iterator
from dataclasses import replace

from fuzz.pixelwise_model import pictures_for, tiny_model
from golden.make_version_2 import write_missing
from golden.pixelwise import MODELS, TINY, TINY_CORRECTED
from recvae.codec.container import Group
from recvae.codec.model_folder import save_model
from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.codec.pixelwise.tile import COPIES, NETWORK, encode_tile
from recvae.images.spec import ImageSpec
from recvae.pixelwise.arguments import PixelArguments

GREY = PixelArguments((17, 24), 3, (3, 2, 1), (2, 1))
RGB = PixelArguments((24, 16), 2, (3, 3, 2, 1), (2, 2, 1))
SIZES = ((1, 1, 1), (1, 7, 3), (7, 1, 4), (11, 16, 2), (16, 11, 3))
MODES = ([NETWORK], [COPIES], [NETWORK, COPIES, COPIES])


def make_tiny() -> None:
    """Write missing small models."""
    for folder, corrected in ((TINY, False), (TINY_CORRECTED, True)):
        if not folder.exists():
            sizes = (replace(own, corrected=corrected) for own in (GREY, RGB))
            save_model(tiny_model(*sizes), folder)


def in_modes(model: PixelwiseModel, channels: int, modes: list[int]) -> Group:
    """A group of two pictures whose parts are in these modes, one after the other."""
    pictures = pictures_for(8, 9, channels, 2).reshape(2, 8, 9, channels)
    stream = encode_tile(model.networks, pictures, modes * 4)
    assert stream is not None
    return Group(2, ImageSpec(8, 9, channels), (stream,))


def files(model: PixelwiseModel) -> Iterator[tuple[str, list[Group]]]:
    """Groups of each file."""
    yield "sizes", [group for size in SIZES for group in model.encode(pictures_for(*size), 1)[0]]
    kinds = model.channels
    yield "modes", [in_modes(model, channels, modes) for channels in kinds for modes in MODES]
    together = pictures_for(7, 10, 3, 5)
    as_they_are = Group(3, ImageSpec(7, 10, 3), (together[:3].tobytes(),))
    yield "together", [*model.encode(together, 3)[0], as_they_are]
    narrow = [pictures_for(258, 2, 1), pictures_for(1, 259, 4, 2)]
    yield "tiles", [group for pictures in narrow for group in model.encode(pictures, 2)[0]]


def main() -> None:
    """Write missing files."""
    make_tiny()
    for _ in write_missing("pixelwise", MODELS, files):
        pass


if __name__ == "__main__":
    main()
