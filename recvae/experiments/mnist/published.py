"""Published rates of lossless MNIST, bits per pixel on the test set."""

from dataclasses import dataclass

A_STAR = "A* coding"
GREEDY_REJECTION = "greedy rejection coding, zeta code"
CODING_AWARE = "greedy rejection coding, trained on a coding-aware objective"
BITS_BACK = "BB-ANS, all images as one stream"

_ICML_2022 = "Flamich, Markou & Hernandez-Lobato, Fast relative entropy coding with A* coding, 2022"
_NEURIPS_2023 = (
    "Flamich, Markou & Hernandez-Lobato, Faster relative entropy coding with greedy rejection "
    "coding, 2023"
)
_ICLR_2019 = (
    "Townsend, Bird & Barber, Practical lossless compression with latent variables using bits "
    "back coding, 2019"
)


@dataclass(frozen=True)
class Published:
    """A published result.

    Fields:
        name: name of the codec.
        latent_dim: latents of its model; None unless it has a single layer.
        negative_elbo_bpp: its bound; None if not reported.
        bits_per_pixel: the coded rate.
        source: the publication.
    """

    name: str
    latent_dim: int | None
    negative_elbo_bpp: float | None
    bits_per_pixel: float
    source: str


RESULTS = (
    Published(A_STAR, 20, 1.43, 1.53, _ICML_2022),
    Published(A_STAR, 50, 1.40, 1.66, _ICML_2022),
    Published(GREEDY_REJECTION, 20, 1.391, 1.472, _NEURIPS_2023),
    Published(GREEDY_REJECTION, 50, 1.357, 1.511, _NEURIPS_2023),
    Published(GREEDY_REJECTION, 100, 1.362, 1.523, _NEURIPS_2023),
    Published(CODING_AWARE, 20, None, 1.470, _NEURIPS_2023),
    Published(CODING_AWARE, 50, None, 1.484, _NEURIPS_2023),
    Published(BITS_BACK, 50, 1.39, 1.41, _ICLR_2019),
)
"""VAEs with one layer of latents."""

OTHERS = (
    Published(
        "Bit-Swap, 4 layers, all images as one stream",
        None,
        1.267,
        1.291,
        "Kingma, Abbeel & Ho, Bit-Swap, 2019, from its logs",
    ),
    Published(
        "probabilistic circuits",
        None,
        None,
        1.20,
        "Liu, Mandt & Van den Broeck, Lossless compression with probabilistic circuits, 2022",
    ),
)
"""Other models, for orientation."""


def published_bpp(name: str, latent_dim: int) -> float | None:
    """The coded rate of a method with this many latents; None if unpublished."""
    for result in RESULTS:
        if (result.name, result.latent_dim) == (name, latent_dim):
            return result.bits_per_pixel
    return None
