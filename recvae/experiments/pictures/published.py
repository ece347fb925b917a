"""Published rate-distortion points of CIFAR-10, and their comparability."""

from dataclasses import dataclass

from recvae.experiments.pictures.curves import Curve

SPLITS = (
    "Published points are of 100 images of CIFAR-10's test set; the images measured here are of "
    "its training set, held out when the model was trained."
)
"""Note for every place that shows published and measured points together."""

_RECOMBINER = "RECOMBINER (Bayesian implicit neural representations)"
_NEURIPS_2024 = (
    "He, Flamich & Hernandez-Lobato, Accelerating relative entropy coding with space partitioning, "
    "2024; ± 0.02 bits per pixel, ± 0.05 dB"
)


@dataclass(frozen=True)
class Published:
    """A published curve.

    Fields:
        key: short name.
        name: name of the codec.
        setting: its setting.
        curve: (bits per pixel, PSNR in dB), by rate.
        source: the publication, and the accuracy of the points.
    """

    key: str
    name: str
    setting: str
    curve: Curve
    source: str


ORC = Published(
    "ORC",
    _RECOMBINER,
    "ordered random coding, 16-bit blocks",
    ((0.70, 25.75), (0.92, 26.67), (1.91, 29.77), (3.34, 32.88)),
    _NEURIPS_2024,
)
PARTITIONED = Published(
    "partitioned ORC",
    _RECOMBINER,
    "the same with space partitioning, 48-bit blocks",
    ((0.70, 26.2), (0.95, 27.34), (1.90, 30.52), (3.36, 33.72)),
    _NEURIPS_2024,
)
THEORY = Published(
    "theory",
    _RECOMBINER,
    "its information content, not coded",
    ((0.69, 26.21), (0.905, 27.42), (1.84, 30.62), (3.30, 33.76)),
    _NEURIPS_2024,
)

RESULTS = (ORC, PARTITIONED, THEORY)
