"""An image format: PAM, a header of words and numbers, then the pixels as they are."""

import numpy as np

from recvae.errors import InputError
from recvae.images import PictureFormat, register_format


def decode(data):
    header, pixels = data.split(b"ENDHDR\n", 1)
    fields = dict(line.split(maxsplit=1) for line in header.decode().splitlines()[1:])
    if (fields["DEPTH"], fields["MAXVAL"]) not in {("1", "255"), ("3", "255")}:
        raise InputError("a PAM of another kind than 8-bit grey and RGB: convert it first")
    shape = [int(fields[word]) for word in ("HEIGHT", "WIDTH", "DEPTH")]
    if len(pixels) != np.prod(shape):
        raise ValueError("not as many pixels as its header announces")
    return np.frombuffer(pixels, np.uint8).reshape(shape[: 2 if shape[2] == 1 else 3])


def encode(pixels):
    height, width, depth = (*pixels.shape, 1)[:3]
    kind = "GRAYSCALE" if depth == 1 else "RGB"
    header = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL 255\nTUPLTYPE {kind}\n"
    return f"{header}ENDHDR\n".encode() + pixels.tobytes()


register_format(
    PictureFormat("PAM", (".pam",), lambda head: head.startswith(b"P7\n"), decode, encode)
)
