"""Bits per sub-pixel with other tile sizes, and of grey pictures by the network for colour.

    python benchmarks/tiles.py FOLDER [--model NAME]

Uses the centre 512 x 512 pixels of the pictures that configs/photos.yaml holds out of those in
FOLDER. Counts streams only, without the few bytes that each takes in a file besides.
"""

import argparse
import sys

import numpy as np

import recvae
from recvae.codec.pixelwise.coder import in_threads
from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.codec.pixelwise.tile import encode_tile
from recvae.data.pictures import PictureDataModule
from recvae.errors import InputError
from recvae.images.spec import RGB
from recvae.pixelwise.lightning import to_grey
from recvae.program import run_program

CROP = 512
TILES = (64, 128, 256, 512)  # pixels
HELD_OUT = 0.1


def num_bits(model: PixelwiseModel, crops: np.ndarray, tile: int) -> int:
    """Bits of crops (n, 512, 512, channels), with a stream for each tile."""
    places = np.ndindex(len(crops), CROP // tile, CROP // tile)

    def bits(place: tuple[int, ...]) -> int:
        number, y, x = place[0], tile * place[1], tile * place[2]
        pixels = np.ascontiguousarray(crops[number : number + 1, y : y + tile, x : x + tile])
        stream = encode_tile(model.networks, pixels)
        return 8 * (pixels.nbytes if stream is None else len(stream))

    return sum(in_threads(bits, places))


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder")
    parser.add_argument("--model", default="photos")
    options = parser.parse_args()
    model = recvae.load(options.model).model
    if not isinstance(model, PixelwiseModel):
        raise InputError(f"model {options.model!r} does not code pixel by pixel")
    pictures = PictureDataModule(options.folder, crop=CROP, validation_fraction=HELD_OUT).load()[1]
    colour = pictures.permute(0, 2, 3, 1)
    grey = to_grey(colour).numpy()
    for tile in TILES:
        bits = num_bits(model, colour.numpy(), tile) / colour.numel()
        print(f"tiles of {tile} x {tile}: {bits:.4f}")
    for name, crops in (("grey", grey), ("colour", grey.repeat(RGB, axis=3))):
        print(f"grey, by the network of {name}: {num_bits(model, crops, 256) / grey.size:.4f}")


if __name__ == "__main__":
    sys.exit(run_program("tiles.py", main))
