"""Print the sizes of an input's images by general-purpose codecs.

python benchmarks/external.py PATH     an idx file, a .npy array, a PNG or a folder of PNGs
"""

import sys

from recvae.errors import InputError
from recvae.evaluation import reference_sizes
from recvae.images import read_images


def main(path: str) -> None:
    """Print a table: bits per pixel, one file an image and all in one."""
    pixels = read_images(path).pixels
    print(f"{path}: {pixels.shape[0]} images of {pixels.shape[1]} × {pixels.shape[2]} pixels\n")
    print(f"{'bits per pixel':16}{'one file each':>15}{'all in one':>15}")
    for name, *sizes in reference_sizes(pixels):
        print(f"{name:16}" + "".join(f"{8 * size / pixels.size:15.3f}" for size in sizes))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
