"""Files in other image formats, in memory, and which formats are installed."""

from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features


def pillow_file(picture: NDArray[np.uint8] | Image.Image, **options: Any) -> bytes:
    """The file that Pillow saves for grey (height, width) or RGB (height, width, 3)."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(np.ascontiguousarray(picture))
    stream = BytesIO()
    picture.save(stream, **options)
    return stream.getvalue()


def pillow_pixels(file: bytes, channels: int = 3) -> NDArray[np.uint8]:
    """Read a file with Pillow: grey (height, width) or RGB (height, width, 3)."""
    with Image.open(BytesIO(file)) as picture:
        return np.asarray(picture.convert("L" if channels == 1 else "RGB"))


def is_installed(package: str, feature: str) -> bool:
    """Whether pillow or imagecodecs is installed with a feature, such as "webp" or "JPEGXL"."""
    if package == "pillow":
        return bool(features.check(feature))
    try:
        return bool(getattr(import_module(package), feature).available)
    except (ImportError, AttributeError):
        return False


def left_out(name: str, package: str) -> str:
    """A line about a codec that is not installed."""
    return (
        f"{name} is left out: {package} is missing or was built without it; "
        "pip install 'recvae[benchmarks]'."
    )
