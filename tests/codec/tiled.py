"""An image coder that cuts its pixels into tiles, and names of pictures for it."""

import numpy as np

from recvae.codec import ImageCoder
from recvae.codec.container import Group
from recvae.codec.container.group import tile_areas
from recvae.images import ImageSpec

NAMES = ("a.png", "b.webp", "c.png", "d.TIFF", "e.bmp", "f.ppm", "g.png")


class Tiled(ImageCoder):
    """Stores pixels uncompressed, tile by tile."""

    name = "tiled"
    file_id = b"tiled pixels 1.0"
    plain = False
    channels = (1, 2, 3, 4)

    def encode(self, pixels, group_size):
        spec, tile = ImageSpec.from_shape(pixels.shape), (4, 5)
        cut = tile if tile != (spec.height, spec.width) else None
        if spec.height < 4 or spec.width < 5:
            cut = None
        groups = []
        for start in range(0, len(pixels), group_size):
            part = pixels[start : start + group_size]
            streams = (part[:, rows, columns].tobytes() for rows, columns in tile_areas(spec, cut))
            groups.append(Group(len(part), spec, tuple(streams), tile=cut))
        return groups, {"pixels": np.full(len(pixels), 8.0 * spec.raw_bytes)}

    def decode(self, groups):
        images = []
        for group in groups:
            pixels = np.empty((group.num_images, *group.spec.shape), np.uint8)
            areas = tile_areas(group.spec, group.tile)
            for (rows, columns), stream in zip(areas, group.streams, strict=True):
                part = pixels[:, rows, columns]
                part[:] = np.frombuffer(stream, np.uint8).reshape(part.shape)
            images.append(pixels)
        return np.concatenate(images)
