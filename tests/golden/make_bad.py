"""Write the golden bad files: `PYTHONPATH=tests python -m golden.make_bad`.

Each is a small file of the model `mnist` with one fault, and is refused with a distinct message,
stored in `bad.json`. Existing ones are kept for ever.
"""

import io
import json
import zlib
from binascii import crc_hqx

import numpy as np
import torch

import recvae
from golden.make import images
from golden.steps import FOLDER
from recvae.codec.container import Header
from recvae.codec.container.group_v1 import pack_group
from recvae.codec.container.index_v1 import Index
from recvae.codec.container.numbers import pack_short
from recvae.codec.range_coder import RangeEncoder
from recvae.codec.vae.groups import STORED, encode_groups
from recvae.codec.vae.ranks import encode_ranks
from recvae.errors import InputError

BAD = FOLDER / "bad"
MODEL = recvae.load("mnist").model
HEADER = Header(MODEL.file_id, 28, 28, 2)
PAYLOADS = encode_groups(MODEL, images()[:5], 2)[0]
GROUPS = [pack_group(payload, HEADER) for payload in PAYLOADS]
NAMES = [f"{number}.png" for number in range(5)]


def file(groups: list[bytes], header: bytes = HEADER.to_bytes(), **fields) -> bytes:
    """A file with correct checksums, whatever its index states."""
    body = b"".join(groups)
    known = {"num_images": 5, "groups_crc": zlib.crc32(body), "run_lengths": [len(body)]}
    return header + body + Index(**known | fields).to_bytes()


def header(offset: int, value: bytes) -> bytes:
    """A header with other bytes at an offset, and the checksum of these."""
    fields = bytearray(HEADER.to_bytes()[:34])
    fields[offset : offset + len(value)] = value
    return bytes(fields) + zlib.crc32(fields).to_bytes(4)


def with_group(place: int, group: bytes) -> list[bytes]:
    """The groups, with one replaced."""
    return [*GROUPS[:place], group, *GROUPS[place + 1 :]]


def with_index(index: bytes) -> bytes:
    """A file with the bytes of this index and a footer with a correct checksum."""
    sealed = index + len(index).to_bytes(4)
    head = HEADER.to_bytes() + b"".join(GROUPS)
    return head + sealed + zlib.crc32(sealed).to_bytes(4) + WHOLE[-4:]


def names(packed: bytes) -> bytes:
    """A file with these bytes as its packed names."""
    return file(GROUPS, packed_names=packed)


def rank_beyond_candidates() -> bytes:
    """A payload of one image whose first rank is the number of candidates."""
    encoder = RangeEncoder()
    encoder.encode(np.zeros(1, np.int32), STORED)
    block = MODEL.blocks[0]
    encoder.encode_uniform(np.zeros(len(block.intervals), np.int32), np.array(block.intervals))
    encode_ranks(encoder, MODEL.rank_codes[0], torch.tensor([block.num_candidates]))
    return encoder.finish()


WHOLE = file(GROUPS)
GROUPS_END = len(HEADER.to_bytes()) + sum(map(len, GROUPS))
INDEX = WHOLE[GROUPS_END:-12]


def flipped(position: int) -> bytes:
    """The whole file with one byte changed."""
    return WHOLE[:position] + bytes([WHOLE[position] ^ 0x10]) + WHOLE[position + 1 :]


def bad_files() -> dict[str, bytes]:
    """The files by the name of their fault."""
    joined, n = "\0".join(NAMES).encode(), len(WHOLE)
    raw_group = bytes(range(256)) * 6 + bytes(32)
    body = pack_short(len(raw_group) + 1) + raw_group
    as_raw = with_group(1, body + crc_hqx(body, 0xFFFF).to_bytes(2))
    return {
        "empty": b"",
        "another-kind": b"\x89PNG\r\n\x1a\n" + bytes(60),
        "sent-as-text": WHOLE.replace(b"\r\n", b"\n", 1),
        "cut-in-header": WHOLE[:20],
        "cut-behind-header": WHOLE[:45],
        "cut-in-groups": WHOLE[: 38 + len(GROUPS[0]) + 9],
        "byte-behind-the-end": WHOLE + b"\n",
        "header-checksum": flipped(20),
        "version-0": file(GROUPS, header(8, b"\0")),
        "version-2": file(GROUPS, header(8, b"\2")),
        "pixel-format": file(GROUPS, header(9, b"\1")),
        "reserved-flag": file(GROUPS, header(10, b"\x80\0")),
        "height-0": file(GROUPS, header(12, b"\0\0")),
        "width-0": file(GROUPS, header(14, b"\0\0")),
        "group-size-0": file(GROUPS, header(16, b"\0\0")),
        "group-size-1025": file(GROUPS, header(16, b"\4\1")),
        "index-checksum": flipped(GROUPS_END),
        "index-beyond-the-file": WHOLE[:-12] + (n - 49).to_bytes(4) + WHOLE[-8:],
        "index-too-short": file(GROUPS, run_lengths=[]),
        "index-number-not-shortest": with_index(b"\xff" + (5).to_bytes(8) + INDEX[1:]),
        "more-images-than-bytes": file(GROUPS, num_images=10**18),
        "runs-beyond-the-groups": file(GROUPS, run_lengths=[GROUPS_END - 37]),
        "fewer-groups-than-bytes": file(GROUPS, num_images=4),
        "more-groups-than-there-are": file(GROUPS, num_images=7),
        "group-checksum": file(with_group(1, GROUPS[1][:-1] + bytes([GROUPS[1][-1] ^ 1]))),
        "group-beyond-its-run": file(with_group(2, b"\xfe" + GROUPS[2][1:])),
        "length-not-shortest": file(as_raw),
        "exchanged-groups": WHOLE[:38] + b"".join([*GROUPS[1::-1], GROUPS[2]]) + WHOLE[GROUPS_END:],
        "names-no-zlib": names(b"no zlib stream"),
        "names-cut": names(zlib.compress(joined)[:-2]),
        "names-and-more": names(zlib.compress(joined) + b"\0"),
        "names-too-long": names(zlib.compress(bytes(1 << 20), 9)),
        "names-too-few": names(zlib.compress(b"\0".join(joined.split(b"\0")[:4]))),
        "names-not-utf-8": names(zlib.compress(joined.replace(b"0", b"\xff"))),
        "unknown-model": file(GROUPS, header(18, bytes(16))),
        "another-size-than-the-model": file(GROUPS, header(12, b"\0\x1b")),
        "payload-no-encoder-writes": file(with_group(1, pack_group(b"\xff" * 40, HEADER))),
        "rank-no-candidate": file(with_group(2, pack_group(rank_beyond_candidates(), HEADER))),
    }


def refusal(data: bytes) -> str | None:
    """The message with which the file is refused when all of it is read."""
    try:
        with recvae.open(io.BytesIO(data)) as stored:
            _ = stored.names
            for _ in stored.batches():
                pass
    except InputError as error:
        return str(error)
    return None


def main() -> None:
    """Write missing files."""
    BAD.mkdir(exist_ok=True)
    listing = BAD / "bad.json"
    messages = json.loads(listing.read_text()) if listing.exists() else {}
    for name, data in bad_files().items():
        if name not in messages:
            (BAD / f"{name}.recvae").write_bytes(data)
            messages[name] = refusal(data)
    listing.write_text(json.dumps(messages, indent=1) + "\n")


if __name__ == "__main__":
    main()
