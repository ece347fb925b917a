"""Golden pictures of the pixelwise coder."""

from pathlib import Path

from golden.make_version_2 import V2
from golden.pictures import pictures_of
from golden.steps import MODELS as MADE
from recvae.codec.models import PRETRAINED

__all__ = ["FILES", "KEPT", "MODELS", "TINY", "TINY_CORRECTED", "folder_of", "pictures_of"]

TINY, TINY_CORRECTED = MADE / "pixelwise", MADE / "pixelwise-corrected"
KEPT = {"tiny": TINY, "corrected": TINY_CORRECTED, "uncorrected": MADE / "photos-uncorrected"}
"""Models that do not ship: two of random weights, and what shipped as `photos` before."""

MODELS = KEPT | {name: PRETRAINED / name for name in ("photos", "thumbnails")}
FILES = sorted(V2.glob("pixelwise-*.recvae"))


def folder_of(file: Path) -> Path:
    """The model of a golden file."""
    return MODELS[file.stem.split("-")[1]]
