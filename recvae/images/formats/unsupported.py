"""What is said of pictures that are neither 8-bit grey nor 8-bit RGB."""

from recvae.errors import InputError


def unsupported(format_name: str, kind: str) -> InputError:
    """Return the error for a picture of `kind` ("16-bit grey"), with a way to keep its content."""
    return InputError(
        f"a {format_name} of kind {kind}; only 8-bit grey and RGB are supported: {_advice(kind)}"
    )


def _advice(kind: str) -> str:
    words = set(kind.split())
    convert = f'Image.open(...).convert("{"L" if "grey" in words else "RGB"}").save(...)'
    if words & {"animated", "multi-page"}:
        return "save its pictures as files of their own"
    if words & {"16-bit", "32-bit", "signed", "float"}:  # where convert() clips or loses bits
        return (
            "scale its values to 0 to 255 with numpy, for example 16 bits by // 257, and save "
            "them as uint8"
        )
    if words & {"alpha", "transparent"}:
        return f"if its transparency may be dropped, do so with Pillow's {convert}"
    return f"convert it first, for example with Pillow's {convert}"
