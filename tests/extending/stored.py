"""An image coder: pixels as they are, of any size, grey or RGB, with alpha or without."""

import hashlib

import numpy as np

from recvae.codec import ImageCoder, register_image_coder
from recvae.codec.container import Group
from recvae.errors import InputError
from recvae.images import ImageSpec


class Stored(ImageCoder):
    name = "stored"
    channels = (1, 2, 3, 4)
    file_id = hashlib.sha256(b"stored-1").digest()[:16]

    def encode(self, pixels, group_size):
        spec = ImageSpec.from_shape(pixels.shape)
        parts = [pixels[start : start + group_size] for start in range(0, len(pixels), group_size)]
        groups = [Group(len(part), spec, (part.tobytes(),)) for part in parts]
        return groups, {"pixels": np.full(len(pixels), 8.0 * spec.raw_bytes)}

    def decode(self, groups):
        for group in groups:
            if [len(stream) for stream in group.streams] != [group.raw_bytes]:
                raise InputError("a group holds other than its pixels")
        data = b"".join(group.streams[0] for group in groups)
        return np.frombuffer(data, np.uint8).reshape(-1, *groups[0].spec.shape)


register_image_coder("stored-1", lambda folder: Stored())
