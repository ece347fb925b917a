"""Container files for the tests: meaningless payloads, in any groups."""

import random

from recvae.codec.container import ContainerWriter

HASH = bytes(range(16))


class AppendOnly:
    """A stream that can do only what a pipe can."""

    def __init__(self):
        self.data = bytearray()

    def write(self, data):
        self.data += data
        return len(data)

    def flush(self):
        pass


def container(payloads, header, last=None, names=None):
    """Return the bytes of a file whose last group holds `last` images."""
    stream = AppendOnly()
    writer = ContainerWriter(stream, header)
    for payload in payloads[:-1]:
        writer.add_group(payload, header.group_size)
    if payloads:
        writer.add_group(payloads[-1], last or header.group_size)
    sizes = writer.finish(names)
    assert sizes.total == writer.num_bytes == len(stream.data)
    return bytes(stream.data)


def digits(num_groups, seed=0):
    """Payloads of about the size of one MNIST image."""
    rng = random.Random(seed)
    return [rng.randbytes(max(20, round(rng.gauss(115, 35)))) for _ in range(num_groups)]


NAMES = [f"{index:05}.png" for index in range(130)]
