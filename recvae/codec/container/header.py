"""The first 38 bytes of a file: what it is, and what holds for all of its images."""

import struct
import zlib
from dataclasses import dataclass
from typing import Self

from recvae.errors import InputError

MAGIC = b"\x89REC\r\n\x1a\n"  # as PNG's: the high bit and the line ends tell of text-mode transfers
VERSION = 1
GREY_8_BIT = 0  # the one pixel format of this version
MODEL_HASH_BYTES = 16
MAX_SIDE = 65535  # pixels
MAX_GROUP_SIZE = 1024  # images

_FIELDS = struct.Struct(">8sBBHHHH16s")
HEADER_BYTES = _FIELDS.size + 4


@dataclass(frozen=True)
class Header:
    """What holds for all images of a file.

    Args:
        model_hash: the first 16 bytes of the SHA-256 of the model's content.
        height: of each image, 1 to 65535 pixels.
        width: likewise.
        group_size: images per group, 1 to 1024; the last group of a file may hold fewer.
        pixel_format: 0, grey of 8 bits.

    Raises `InputError` for anything else.
    """

    model_hash: bytes
    height: int
    width: int
    group_size: int
    pixel_format: int = GREY_8_BIT

    def __post_init__(self) -> None:
        if len(self.model_hash) != MODEL_HASH_BYTES:
            raise InputError(f"model_hash: {len(self.model_hash)} bytes, not {MODEL_HASH_BYTES}")
        limits = (("height", MAX_SIDE), ("width", MAX_SIDE), ("group_size", MAX_GROUP_SIZE))
        for field, most in limits:
            if not 1 <= getattr(self, field) <= most:
                raise InputError(f"{field}: {getattr(self, field)}, must be 1 to {most}")
        if self.pixel_format != GREY_8_BIT:
            raise InputError(f"pixel_format: {self.pixel_format}, must be {GREY_8_BIT}")

    @property
    def raw_group_bytes(self) -> int:
        """Bytes of the pixels of a full group."""
        return self.group_size * self.height * self.width

    def num_groups(self, num_images: int) -> int:
        """Return how many groups so many images make."""
        return -(-num_images // self.group_size)

    def to_bytes(self) -> bytes:
        """Return the 38 bytes as written."""
        flags = 0
        layout = (self.pixel_format, flags, self.height, self.width, self.group_size)
        fields = _FIELDS.pack(MAGIC, VERSION, *layout, self.model_hash)
        return fields + zlib.crc32(fields).to_bytes(4)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the first 38 bytes of a file, or all if it has fewer.

        Raises `InputError` if they are no header, damaged, or of another version.
        """
        if not data:
            raise InputError("not a recvae file: it is empty")
        if not MAGIC.startswith(data[:8]):
            textual = data[1:4] == MAGIC[1:4]
            hint = ": its first 8 bytes are damaged, as by a transfer as text" if textual else ""
            raise InputError(f"not a recvae file{hint}")
        if len(data) < HEADER_BYTES:
            raise InputError(f"truncated file: it ends within the header, at byte {len(data)}")
        fields, crc = data[: _FIELDS.size], data[_FIELDS.size :]
        if zlib.crc32(fields).to_bytes(4) != crc:
            raise InputError(f"the header is damaged (bytes 0 to {HEADER_BYTES - 1})")
        _, version, pixel_format, flags, height, width, group_size, model = _FIELDS.unpack(fields)
        if version != VERSION:
            advice = ": upgrade recvae" if version > VERSION else ""
            raise InputError(f"format version {version}; this program reads {VERSION}{advice}")
        if flags:
            raise InputError(f"header, byte 10: flags are {flags:#06x}, must be zero")
        try:
            return cls(model, height, width, group_size, pixel_format)
        except InputError as error:
            raise InputError(f"header, {error}") from error
