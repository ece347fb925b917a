"""The error for pictures that 8-bit grey or RGB, with or without alpha, cannot represent."""

from collections.abc import Sequence

from recvae.errors import InputError
from recvae.images.spec import RGBA


def unsupported(format_name: str, kind: str, channels: Sequence[int]) -> InputError:
    """Return the error for a picture of `kind` ("16-bit grey"), with advice to keep its content.

    `channels` are those that the format is read into.
    """
    alpha = ", with or without alpha," if RGBA in channels else ""
    return InputError(
        f"a {format_name} of kind {kind}; 8-bit grey and RGB{alpha} are supported: {_advice(kind)}"
    )


def _advice(kind: str) -> str:
    words = set(kind.split())
    mode = ("L" if "grey" in words else "RGB") + "A" * ("alpha" in words)
    convert = f'Image.open(...).convert("{mode}").save(...)'
    if words & {"animated", "multi-page"}:
        return "save its pictures as separate files"
    if words & {"16-bit", "32-bit", "signed", "float"}:  # convert() would clip or lose bits
        return (
            "scale its values to 0 to 255 with numpy, for example 16 bits by // 257, and save "
            "them as uint8"
        )
    if "alpha" in words:
        return f"convert it to a PNG first, for example with Pillow's {convert}"
    return f"convert it first, for example with Pillow's {convert}"
