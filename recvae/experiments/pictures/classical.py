"""Classical lossy codecs on RGB images, one file an image: bytes and decoded images.

Each is run as recommended for the smallest files. A file of 32 x 32 pixels is mostly headers: for
formats that identify them, the bytes without headers are counted, too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from recvae.evaluation.image_files import is_installed, left_out, pillow_file, pillow_pixels

RGB = NDArray[np.uint8]
"""One image, (height, width, 3)."""

SMALL_PIXELS = 1 << 14  # images up to this size are worth AVIF's slowest search
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


@dataclass(frozen=True)
class ClassicalCodec:
    """A codec for single images, and the range of its settings.

    Fields:
        name: name of the codec.
        setting: name of its setting.
        settings: from the smallest files to the best pictures.
        package: the package whose version determines its files.
        encode: from an image and a setting to the bytes of a file.
        decode: from these bytes to an image.
        options: its options in words.
        payload: number of bytes of a file without headers; None if these are not identified.
        left_out: the bytes that the payload leaves out, in words.
    """

    name: str
    setting: str
    settings: tuple[float, ...]
    package: str
    encode: Callable[[RGB, float], bytes]
    decode: Callable[[bytes], RGB]
    options: str
    payload: Callable[[bytes], int] | None = None
    left_out: str = ""

    @property
    def version(self) -> str:
        """Version of its package, such as "pillow 13.0.0"."""
        return f"{self.package} {version(self.package)}"


def jpeg_scan_bytes(file: bytes) -> int:
    """The bytes of the entropy-coded scan of a baseline JPEG, byte stuffing included.

    Leaves out everything from the start to the end of the scan's header (SOI, APP0, DQT, SOF0, DHT,
    SOS) and EOI. Raises ValueError for a file without exactly one scan.
    """
    position = 2  # after SOI
    while file[position : position + 2] != START_OF_SCAN:
        if file[position : position + 1] != b"\xff":
            raise ValueError("not a JPEG: a segment does not begin with a marker")
        position += 2 + int.from_bytes(file[position + 2 : position + 4], "big")
    begin = position + 2 + int.from_bytes(file[position + 2 : position + 4], "big")
    scan = file[begin : -len(END_OF_IMAGE)]
    if file[-len(END_OF_IMAGE) :] != END_OF_IMAGE or START_OF_SCAN in scan:
        raise ValueError("not a JPEG with one scan")
    return len(scan)


def avif_mdat_bytes(file: bytes) -> int:
    """The bytes in the mdat boxes of an ISO base media file, without the boxes' headers.

    Leaves out the boxes ftyp and meta, and size and type of mdat. Raises ValueError for a box
    longer than the file.
    """
    position, held = 0, 0
    while position < len(file):
        size, head = int.from_bytes(file[position : position + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(file[position + 8 : position + 16], "big"), 16
        size = size or len(file) - position  # 0: to the end of the file
        if size < head or position + size > len(file):
            raise ValueError("not a file of boxes: one is longer than the file")
        if file[position + 4 : position + 8] == b"mdat":
            held += size - head
        position += size
    return held


def classical_codecs() -> list[ClassicalCodec]:
    """The installed codecs; see `missing_codecs` for the others."""
    return [codec for codec, installed in _all() if installed]


def missing_codecs() -> list[str]:
    """A line about each codec that is not installed."""
    return [left_out(codec.name, codec.package) for codec, installed in _all() if not installed]


def fit_to_bytes(
    codec: ClassicalCodec, image: RGB, num_bytes: int, settings: Iterable[float]
) -> bytes:
    """The largest file of at most `num_bytes` bytes, counting its payload if it has one.

    If all are larger, the smallest one. Settings are tried by bisection, from the smallest file to
    the largest.
    """
    tried = list(settings)
    low, high = 0, len(tried) - 1
    best = codec.encode(image, tried[0])
    while low < high:
        middle = (low + high + 1) // 2
        file = codec.encode(image, tried[middle])
        if payload_bytes(codec, file) <= num_bytes:
            low, best = middle, file
        else:
            high = middle - 1
    return best


def payload_bytes(codec: ClassicalCodec, file: bytes) -> int:
    """The number of bytes of a file without those its codec leaves out."""
    return len(file) if codec.payload is None else codec.payload(file)


def _all() -> list[tuple[ClassicalCodec, bool]]:
    """Each codec, and whether it is installed."""
    return [
        (JPEG, True),
        (WEBP, is_installed("pillow", "webp")),
        (AVIF, is_installed("pillow", "avif")),
        (JPEG_XL, is_installed("imagecodecs", "JPEGXL")),
        (JPEG_2000, is_installed("pillow", "jpg_2000")),
    ]


def _jpeg(image: RGB, quality: float) -> bytes:
    return pillow_file(image, format="JPEG", quality=int(quality), subsampling=0, optimize=True)


def _webp(image: RGB, quality: float) -> bytes:
    return pillow_file(image, format="WEBP", quality=int(quality), method=6)


def _avif(image: RGB, quality: float) -> bytes:
    speed = 0 if image.shape[0] * image.shape[1] <= SMALL_PIXELS else 6
    options = {"quality": int(quality), "subsampling": "4:4:4", "speed": speed, "max_threads": 1}
    return pillow_file(image, format="AVIF", **options)


def _jpeg_2000(image: RGB, psnr_db: float) -> bytes:
    options = {"quality_mode": "dB", "quality_layers": [psnr_db], "irreversible": True}
    return pillow_file(image, format="JPEG2000", mct=1, no_jp2=True, **options)


def _jpeg_xl(image: RGB, distance: float) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode(image, distance=distance, effort=9, numthreads=1))


def _decode_jpeg_xl(file: bytes) -> RGB:
    import imagecodecs

    return np.asarray(imagecodecs.jpegxl_decode(file, numthreads=1))


JPEG = ClassicalCodec(
    "JPEG",
    "quality",
    (5, 10, 20, 30, 45, 60, 75, 85, 90, 95),
    "pillow",
    _jpeg,
    pillow_pixels,
    "4:4:4, baseline, Huffman tables made for each image.",
    jpeg_scan_bytes,
    "all but the entropy-coded bytes of its one scan (SOI, APP0, DQT, SOF0, DHT, SOS and EOI); the "
    "tables made for each image, which it cannot be decoded without, are among them",
)
WEBP = ClassicalCodec(
    "WebP",
    "quality",
    (0, 5, 15, 30, 45, 60, 75, 85, 90, 95),
    "pillow",
    _webp,
    pillow_pixels,
    "Method 6; colours are 4:2:0, the format knows no other.",
)
AVIF = ClassicalCodec(
    "AVIF",
    "quality",
    (5, 15, 25, 35, 45, 55, 65, 75, 85),
    "pillow",
    _avif,
    pillow_pixels,
    "4:4:4, speed 0 (the slowest); images of more than 2^14 pixels speed 6.",
    avif_mdat_bytes,
    "the boxes ftyp and meta, which hold sizes, colours and the decoder's configuration, and the "
    "head of mdat",
)
JPEG_XL = ClassicalCodec(
    "JPEG XL",
    "distance",
    (15, 10, 7, 5, 3.5, 2.5, 1.8, 1.2, 0.8, 0.5),
    "imagecodecs",
    _jpeg_xl,
    _decode_jpeg_xl,
    "Effort 9, bare codestream.",
)
JPEG_2000 = ClassicalCodec(
    "JPEG 2000",
    "dB",
    (20, 22, 24, 26, 28, 30, 32, 34, 37, 40),
    "pillow",
    _jpeg_2000,
    pillow_pixels,
    "Irreversible wavelet and colour transform, bare codestream.",
)
