"""The first bytes of a file: its kind, and the properties of all of its images."""

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from recvae.errors import InputError
from recvae.images.spec import GREY, KINDS, MAX_SIDE, RGBA, ImageSpec

MAGIC = b"\x89REC\r\n\x1a\n"  # like PNG's: high bit and line ends reveal text-mode transfers
VERSIONS = (1, 2)
GREY_8_BIT = 0  # the only pixel format of version 1
MODEL_HASH_BYTES = 16
MAX_GROUP_SIZE = 1024  # images

MAX_MODELS = 256

_FIELDS = struct.Struct(">8sBBBBHHH16s")  # version 1 has 16 bits of flags at byte 10
CRC_BYTES = 4
HEADER_BYTES = _FIELDS.size + CRC_BYTES  # with one model
MAX_HEADER_BYTES = HEADER_BYTES + MODEL_HASH_BYTES * (MAX_MODELS - 1) + CRC_BYTES


@dataclass(frozen=True)
class Header:
    """The properties of all images of a file.

    Args:
        model_hash: the first 16 bytes of the SHA-256 of the model's content.
        height: of each image, 1 to 65535 pixels; in version 2, of those without their own.
        width: likewise.
        group_size: images per group, 1 to 1024; the last group of a file may hold fewer, in
            version 2 any group.
        channels, levels: of the images' spec; version 1 has grey ones of 256 levels.
        version: format version.
        more_models: the hashes of further models; none in version 1.

    Raises `InputError` for anything else.
    """

    model_hash: bytes
    height: int
    width: int
    group_size: int
    channels: int = GREY
    levels: int = 256
    version: int = 1
    more_models: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        for model_hash in self.models:
            if len(model_hash) != MODEL_HASH_BYTES:
                raise InputError(f"model_hash: {len(model_hash)} bytes, not {MODEL_HASH_BYTES}")
        limits = (("height", MAX_SIDE), ("width", MAX_SIDE), ("group_size", MAX_GROUP_SIZE))
        for field, most in limits:
            if not 1 <= getattr(self, field) <= most:
                raise InputError(f"{field}: {getattr(self, field)}, must be 1 to {most}")
        if self.channels not in KINDS:
            raise InputError(f"channels: {self.channels}, must be {GREY} to {RGBA}")
        if not 1 <= self.levels <= 256:
            raise InputError(f"levels: {self.levels}, must be 1 to 256")
        if self.version not in VERSIONS:
            raise InputError(f"version: {self.version}, must be one of {VERSIONS}")
        if len(set(self.models)) < len(self.models):
            raise InputError("two models are the same")
        if len(self.models) > MAX_MODELS:
            raise InputError(f"{len(self.models)} models, the limit is {MAX_MODELS}")
        if self.version == 1 and (self.channels, self.levels, self.models[1:]) != (GREY, 256, ()):
            raise InputError("version 1 holds images of one channel, 256 levels and one model")

    @property
    def models(self) -> tuple[bytes, ...]:
        """The hashes of all models."""
        return (self.model_hash, *self.more_models)

    @cached_property
    def spec(self) -> ImageSpec:
        """The spec of the images; in version 2, of those whose groups state none."""
        return ImageSpec(self.height, self.width, self.channels, self.levels)

    @property
    def num_bytes(self) -> int:
        """Bytes of the header: where the groups begin."""
        return HEADER_BYTES + _more_bytes(len(self.more_models))

    @staticmethod
    def more_bytes(head: bytes) -> int:
        """Bytes for further models after the first 38, as these state."""
        return _more_bytes(head[11]) if head[8] > 1 else 0

    @property
    def raw_group_bytes(self) -> int:
        """Bytes of the pixels of a full group."""
        return self.group_size * self.spec.raw_bytes

    def num_groups(self, num_images: int) -> int:
        """Return the number of groups of `num_images` images in version 1."""
        return -(-num_images // self.group_size)

    def to_bytes(self) -> bytes:
        """Return the header as written."""
        kind = (GREY_8_BIT, 0, 0)  # and flags
        if self.version > 1:
            kind = (self.channels, self.levels - 1, len(self.more_models))
        layout = (self.height, self.width, self.group_size, self.model_hash)
        more = b"".join(self.more_models)
        return _sealed(_FIELDS.pack(MAGIC, self.version, *kind, *layout)) + (
            _sealed(more) if more else b""
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the header from the first `MAX_HEADER_BYTES` of a file, or all if it has fewer.

        Raises `InputError` if they are not a header, damaged, or of another version.
        """
        if not data:
            raise InputError("not a recvae file: it is empty")
        if not MAGIC.startswith(data[:8]):
            textual = data[1:4] == MAGIC[1:4]
            hint = ": its first 8 bytes are damaged, as by a text-mode transfer" if textual else ""
            raise InputError(f"not a recvae file{hint}")
        if len(data) < HEADER_BYTES:
            raise InputError(f"truncated file: it ends within the header, at byte {len(data)}")
        _check_seal(data[:HEADER_BYTES], 0)
        _, version, *kind, height, width, group_size, model = _FIELDS.unpack(data[: _FIELDS.size])
        if version not in VERSIONS:
            advice = ": upgrade recvae" if version > VERSIONS[-1] else ""
            known = " and ".join(map(str, VERSIONS))
            raise InputError(f"format version {version}; this program reads {known}{advice}")
        try:
            if version == 1:
                if kind[0] != GREY_8_BIT:
                    raise InputError(f"pixel_format: {kind[0]}, must be {GREY_8_BIT}")
                if flags := kind[1] << 8 | kind[2]:
                    raise InputError(f"byte 10: flags are {flags:#06x}, must be zero")
                return cls(model, height, width, group_size)
            channels, top, num_more = kind
            more = _read_more(data, num_more)
            return cls(model, height, width, group_size, channels, top + 1, version, more)
        except InputError as error:
            raise InputError(f"header, {error}") from error


def _read_more(data: bytes, count: int) -> tuple[bytes, ...]:
    """The hashes of `count` more models."""
    end = HEADER_BYTES + _more_bytes(count)
    if len(data) < end:
        raise InputError(f"truncated file: it ends within the header, at byte {len(data)}")
    if count:
        _check_seal(data[HEADER_BYTES:end], HEADER_BYTES)
    starts = range(HEADER_BYTES, end - CRC_BYTES, MODEL_HASH_BYTES)
    return tuple(data[start : start + MODEL_HASH_BYTES] for start in starts)


def _more_bytes(count: int) -> int:
    return MODEL_HASH_BYTES * count + CRC_BYTES if count else 0


def _sealed(fields: bytes) -> bytes:
    return fields + zlib.crc32(fields).to_bytes(CRC_BYTES)


def _check_seal(sealed: bytes, start: int) -> None:
    if _sealed(sealed[:-CRC_BYTES]) != sealed:
        end = start + len(sealed) - 1
        raise InputError(f"the header is damaged (bytes {start} to {end})")
