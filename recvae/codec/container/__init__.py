"""The .recvae file: a header, groups of images, an index. Handles bytes, not images.

docs/format.md specifies every field. Integers are big-endian.
"""

from recvae.codec.container.footer import ContainerSizes
from recvae.codec.container.group import Group, streams_of_area, tile_areas
from recvae.codec.container.header import Header
from recvae.codec.container.reader import ContainerReader
from recvae.codec.container.writer import ContainerWriter

__all__ = [
    "ContainerReader",
    "ContainerSizes",
    "ContainerWriter",
    "Group",
    "Header",
    "streams_of_area",
    "tile_areas",
]
