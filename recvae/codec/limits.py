"""Limits on the images that a file claims to hold: a few bytes must not fill the memory."""

from recvae.codec.container import Group
from recvae.errors import InputError
from recvae.images.spec import MAX_PIXELS as MAX_PIXELS

PIXELS_PER_BYTE = 256  # always allowed: the group has bytes to show for them


def check_claim(group: Group, max_pixels: int = MAX_PIXELS) -> None:
    """Raise InputError if a group claims to hold more than may be decoded.

    Each of its images may have `max_pixels`; all of them together as many, or 256 for each byte.
    """
    pixels, most = group.spec.num_pixels, max(max_pixels, PIXELS_PER_BYTE * group.num_bytes)
    if pixels > max_pixels or group.num_images * pixels > most:
        raise InputError(
            f"{group.num_images} images of {group.spec} pixels in {group.num_bytes} bytes are "
            f"beyond the limit of {max_pixels} pixels: if they are genuine, raise max_pixels "
            "(--max-pixels)"
        )
