"""A lossy image coder: the high bits of pixels, then the low ones, coarser for less quality."""

import copy
import zlib

import numpy as np

from recvae.codec import ImageCoder, register_image_coder
from recvae.codec.container import Group, streams_of_area, tile_areas
from recvae.errors import InputError
from recvae.images import ImageSpec


class Planes(ImageCoder):
    name, file_id, quality = "planes", b"high, low planes", 50
    plain, lossy, layers, tiles_apart = False, True, 2, True

    def with_quality(self, quality):
        sender = copy.copy(self)
        sender.quality = quality
        return sender

    def quality_of(self, group):
        return group.streams[0][0]

    def encode(self, pixels, group_size):
        starts = range(0, len(pixels), group_size)
        groups = [self.group(pixels[start : start + group_size]) for start in starts]
        bits = 8 * sum(group.num_bytes for group in groups) / len(pixels)
        return groups, {"pixels": np.full(len(pixels), bits)}

    def group(self, pixels):
        spec, step = ImageSpec.from_shape(pixels.shape), 2 + (100 - self.quality) // 8
        tile = (16, 16) if min(spec.height, spec.width) > 16 else None
        planes = pixels // 16, np.minimum(pixels % 16 // step * step + step // 2, 15)
        parts = (plane[:, *area] for plane in planes for area in tile_areas(spec, tile))
        head = bytes([self.quality])
        streams = tuple(head + zlib.compress(part.tobytes()) for part in parts)
        return Group(len(pixels), spec, streams, layers=2, tile=tile)

    def decode(self, groups):
        return self.preview(groups, layers=2)

    def preview(self, groups, layers):
        images = [self.pixels(group, range(layers * len(group.streams) // 2)) for group in groups]
        return np.concatenate(images)

    def decode_area(self, group, rows, columns):
        return self.pixels(group, streams_of_area(group, rows, columns))[:, rows, columns]

    def pixels(self, group, places):
        pixels = np.zeros((group.num_images, *group.spec.shape), np.uint8)
        areas = tile_areas(group.spec, group.tile)
        for place in places:
            layer, tile = divmod(place, len(areas))
            part, stream = pixels[:, *areas[tile]], group.streams[place][1:]
            try:
                plane = np.frombuffer(zlib.decompress(stream), np.uint8).reshape(part.shape)
            except (zlib.error, ValueError) as error:
                raise InputError("a group holds no planes") from error
            part += plane if layer else 16 * plane
        return pixels


register_image_coder("planes-1", lambda folder: Planes())
