"""An image format: PAM, a header of words and numbers, then the pixels as they are."""

import numpy as np

from recvae.errors import InputError
from recvae.images import PictureFormat, register_format

KINDS = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}  # by depth


def decode(data):
    header, pixels = data.split(b"ENDHDR\n", 1)
    fields = dict(line.split(maxsplit=1) for line in header.decode().splitlines()[1:])
    shape = [int(fields[word]) for word in ("HEIGHT", "WIDTH", "DEPTH")]
    if shape[2] not in KINDS or fields["MAXVAL"] != "255":
        raise InputError("a PAM of another kind than 8-bit grey and RGB: convert it first")
    if len(pixels) != np.prod(shape):
        raise ValueError("not as many pixels as its header announces")
    return np.frombuffer(pixels, np.uint8).reshape(shape[: 2 if shape[2] == 1 else 3])


def encode(pixels):
    height, width, depth = (*pixels.shape, 1)[:3]
    size = f"WIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL 255\n"
    return f"P7\n{size}TUPLTYPE {KINDS[depth]}\nENDHDR\n".encode() + pixels.tobytes()


def matches(head):
    return head.startswith(b"P7\n")


register_format(PictureFormat("PAM", (".pam",), matches, decode, encode, tuple(KINDS)))
