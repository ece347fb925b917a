"""A group of coded images."""

from dataclasses import dataclass

from recvae.images.spec import MAX_SIDE, ImageSpec

MAX_LAYERS = 255
MAX_STREAMS = 1 << 16


@dataclass(frozen=True)
class Group:
    """Images of one spec, sent by one model, as streams of bytes.

    Fields:
        num_images: at least 1.
        spec: the spec of each image.
        streams: one for each layer and tile: layer 0, the coarsest, first; within a layer, tiles
            in raster order.
        layers: 1 to 255.
        tile: height and width of the tiles that images are cut into, None for a single tile; those
            at the right and lower edges hold what is left.
        model: index of the model among those of the file.

    Raises ValueError if the number of streams differs from layers times tiles or is too large, and
    for images that the format cannot hold.
    """

    num_images: int
    spec: ImageSpec
    streams: tuple[bytes, ...]
    layers: int = 1
    tile: tuple[int, int] | None = None
    model: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= MAX_LAYERS:
            raise ValueError(f"layers: {self.layers}, must be 1 to {MAX_LAYERS}")
        if self.tile is not None and not is_tile(self.tile, self.spec):
            raise ValueError(f"tile: {self.tile} in images of {self.spec}")
        if max(self.spec.height, self.spec.width) > MAX_SIDE:
            raise ValueError(f"images of {self.spec}: sides may be at most {MAX_SIDE}")
        expected = self.layers * num_tiles(self.spec, self.tile)
        if expected > MAX_STREAMS:
            raise ValueError(f"{expected} layers and tiles, the limit is {MAX_STREAMS}")
        if len(self.streams) != expected:
            raise ValueError(f"{len(self.streams)} streams for {expected} layers and tiles")

    @property
    def raw_bytes(self) -> int:
        """Bytes of the images, uncompressed."""
        return self.num_images * self.spec.raw_bytes

    @property
    def num_bytes(self) -> int:
        """Bytes of the streams."""
        return sum(map(len, self.streams))


def is_tile(tile: tuple[int, int], spec: ImageSpec) -> bool:
    """Whether a tile of this size is a proper part of an image."""
    size = (spec.height, spec.width)
    return tile != size and all(1 <= t <= side for t, side in zip(tile, size, strict=True))


def num_tiles(spec: ImageSpec, tile: tuple[int, int] | None) -> int:
    """Return the number of tiles of an image."""
    if tile is None:
        return 1
    return -(-spec.height // tile[0]) * -(-spec.width // tile[1])


def tile_within(spec: ImageSpec, side: int) -> tuple[int, int] | None:
    """Return the size of tiles of `side` pixels, cropped to the image; None for a single tile."""
    tile = min(side, spec.height), min(side, spec.width)
    return None if tile == (spec.height, spec.width) else tile


def streams_of_area(group: Group, rows: slice, columns: slice) -> list[int]:
    """Return the indices of the streams, in all layers, whose tiles overlap an area."""
    areas = tile_areas(group.spec, group.tile)
    meeting = [
        tile
        for tile, (own_rows, own_columns) in enumerate(areas)
        if _meet(own_rows, rows) and _meet(own_columns, columns)
    ]
    return [layer * len(areas) + tile for layer in range(group.layers) for tile in meeting]


def _meet(left: slice, right: slice) -> bool:
    return bool(left.start < right.stop and right.start < left.stop)


def tile_areas(spec: ImageSpec, tile: tuple[int, int] | None) -> list[tuple[slice, slice]]:
    """Return the rows and columns that each tile of an image covers, in raster order."""
    height, width = tile or (spec.height, spec.width)
    return [
        (
            slice(top, min(top + height, spec.height)),
            slice(left, min(left + width, spec.width)),
        )
        for top in range(0, spec.height, height)
        for left in range(0, spec.width, width)
    ]
