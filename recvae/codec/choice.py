"""Which of the models that ship codes images without loss in the fewest bytes."""

from dataclasses import replace
from itertools import chain

from recvae.codec.codec import Codec, load
from recvae.codec.models import lossless_models
from recvae.images import ImageStream
from recvae.images.spec import GREY

SAMPLE = 64
"""Images at most that are coded to choose."""


def fitting_codec(images: ImageStream, device: str, batch_size: int) -> tuple[Codec, ImageStream]:
    """The codec whose model suits the images best, and the images, from the first one on.

    Where several models may, each codes the first images. Raises InputError as `Codec` and the
    images do.
    """
    names = lossless_models(spec for spec, _ in images.runs)
    codecs = [load(name, device, batch_size) for name in names]
    first = next(images.chunks, None) if len(codecs) > 1 else None
    if first is None:
        return codecs[0], images
    channels = first.shape[3] if first.ndim == 4 else GREY
    sizes = [len(codec.compress(first[:SAMPLE], channels=channels)) for codec in codecs]
    best = codecs[sizes.index(min(sizes))]
    return best, replace(images, chunks=chain([first], images.chunks))
