"""Images as scans: frames, ink, nudges, and the resampling to grey pixels."""

import numpy as np

from spec.model import Model
from spec.network import Read, blocks, causal_pixels, dense, enter, head

CLASSES = (77, 3, 96, 96, 96, 96)
SIDE, BOX, MAX_SIZE = 28, 20, 96


def scans(model: Model, z: np.ndarray, read: Read) -> np.ndarray:
    """Latents (b, D) to pixels (b * 784,)."""
    about = dense(model, "seed", enter(model, z), relu=True)
    kinds = read(np.repeat(model.tensors["kind.table"], len(z), axis=0))
    pixels = np.zeros((len(z), SIDE, SIDE), np.int64)
    pixels[kinds == 0] = scanned(model, about[kinds == 0], read)
    if (kinds == 1).any():
        sizes = model.text["architecture"]["decoder"]
        names = ("channels", "blocks", "hidden", "radius")
        decoder = {name: sizes[f"grey_{name}"] for name in names} | {"levels": 256}
        grey = part(model, "grey.", decoder)
        pixels[kinds == 1] = causal_pixels(grey, about[kinds == 1], read).reshape(-1, SIDE, SIDE)
    return pixels.reshape(-1)


def part(model: Model, prefix: str, decoder: dict) -> Model:
    """The network whose tensors begin with a prefix, as a separate one."""
    architecture = model.text["architecture"] | {"decoder": decoder}
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in model.tensors.items()
        if name.startswith(prefix)
    }
    return model._replace(text=model.text | {"architecture": architecture}, tensors=tensors)


def scanned(model: Model, about: np.ndarray, read: Read) -> np.ndarray:
    """From the condition of each image (b, a) to images (b, 28, 28)."""
    symbols = []
    for place in range(len(CLASSES)):
        symbols.append(read(head(model, f"frame.{place}", about)))
        vectors = model.tensors[f"fields.{place}.table"][symbols[-1]]
        about = np.concatenate([about, vectors], axis=1)
    about = dense(model, "known", about, relu=True)
    frames = [frame(*map(int, image)) for image in zip(*symbols, strict=True)]
    inks = ink(model, about, [(width, height) for _, _, height, width, _, _ in frames], read)
    boxes = [Resampled(at, bits.T) for at, bits in zip(frames, inks, strict=True)]
    ties = [(i, y, x) for i, box in enumerate(boxes) for y, x in zip(*box.ties, strict=True)]
    inputs = [
        np.concatenate(
            [
                about[i],
                model.tensors["tied.table"][boxes[i].nearest[y, x]],
                model.tensors["rows.table"][y],
                model.tensors["columns.table"][x],
            ]
        )
        for i, y, x in ties
    ]
    width = model.tensors["nudge.0.weight"].shape[1]
    nudges = read(head(model, "nudge", np.array(inputs, np.int64).reshape(-1, width)))
    for (i, y, x), nudge in zip(ties, nudges, strict=True):
        boxes[i].nudged[y, x] = nudge
    return np.array([box.image() for box in boxes], np.int64).reshape(-1, SIDE, SIDE)


def frame(size: int, deficit: int, below: int, beside: int, down: int, right: int) -> tuple:
    """Size, deficit, height, width, top and left from the symbols."""
    size += 20
    below, beside = min(below, size - 1), min(beside, size - 1)
    top = min((below // 2 + down) % MAX_SIZE, below)
    left = min((beside // 2 + right) % MAX_SIZE, beside)
    return size, deficit, size - below, size - beside, top, left


def ink(model: Model, about: np.ndarray, extents: list, read: Read) -> list[np.ndarray]:
    """The bits of each scan, transposed."""
    r = model.text["architecture"]["decoder"]["radius"]
    slope = r // 2 + 1
    around = [(i, j) for i in range(r, -1, -1) for j in range(-r, r + 1) if j < slope * i]
    values = model.tensors["ink.values.table"]
    sides = [model.tensors[f"ink.sides.{side}.table"] for side in range(4)]
    none = np.zeros(len(values[0]), np.int64)
    known = [np.full((h + r, w + 2 * r), -1) for h, w in extents]  # with an empty border
    inner = model._replace(
        tensors={n.removeprefix("ink."): t for n, t in model.tensors.items() if n[:4] == "ink."}
    )
    inputs_width = inner.tensors["join.weight"].shape[1]
    for t in range(MAX_SIZE + slope * (MAX_SIZE - 1)):
        places, inputs = [], []
        for image, (h, w) in enumerate(extents):
            for row in range(h):
                column = t - slope * row
                if not 0 <= column < w:
                    continue
                places.append((image, row + r, column + r))
                seen = [known[image][row + r - i, column + r + j] for i, j in around]
                vectors = [none if bit < 0 else values[bit] for bit in seen]
                distances = (row, h - 1 - row, column, w - 1 - column)
                vectors += [table[d] for table, d in zip(sides, distances, strict=True)]
                inputs.append(np.concatenate([*vectors, about[image]]))
        joined = np.array(inputs, np.int64).reshape(-1, inputs_width)
        hidden = blocks(inner, dense(inner, "join", joined, relu=True))
        bits = read(dense(inner, "bit", hidden, relu=False))
        for (image, y, x), bit in zip(places, bits, strict=True):
            known[image][y, x] = bit
    return [canvas[r:, r : canvas.shape[1] - r] for canvas in known]


class Resampled:
    """The resampling of a scan to a box of 20 x 20 pixels, in exact integers."""

    def __init__(self, at: tuple, bits: np.ndarray) -> None:
        size, deficit, height, width, top, left = at
        self.square = np.zeros((size, size), np.int64)
        self.square[top : top + height, left : left + width] = bits
        weights = footprints(size)
        traces = weights == 0
        self.total = weights.clip(0) @ self.square @ weights.clip(0).T
        seen = ((weights >= 0) @ self.square @ traces.T) + (traces @ self.square @ (weights >= 0).T)
        self.traced = seen > 0
        self.area = (5 * size - (deficit == 2)) * (5 * size - (deficit >= 1))
        self.nearest = (510 * self.total + self.area) // (2 * self.area)
        self.above = 255 * self.total - self.nearest * self.area
        self.near = abs(self.above) <= self.area >> 12
        tied = self.near & ~self.traced & (self.nearest != 128)
        self.ties = np.nonzero(tied & (self.nearest > 0) & (self.nearest <= 255))
        self.nudged = (255 * self.total < 128 * self.area) & self.traced

    def box(self) -> np.ndarray:
        """(20, 20)."""
        cut = 255 * self.total // self.area
        inwards = (self.nearest < 128).astype(int) - (self.nearest > 128)
        moved = np.where(inwards > 0, self.above > 0, self.above < 0)
        near = self.nearest + inwards * (moved != self.nudged)
        value = np.where(self.near, near, cut + (cut < 128)).clip(0, 255)
        return np.where((self.total > 0) | self.traced, value, 0)

    def image(self) -> np.ndarray:
        """(28, 28): the box with its centre of mass in the middle."""
        box = self.box()
        starts = []
        for axis in (1, 0):
            mass = box.sum(axis=axis)
            total, moment = int(mass.sum()), int(mass @ np.arange(BOX))
            starts.append((29 * total - 2 * moment) // (2 * total) if total else 0)
        image = np.zeros((SIDE, SIDE), np.int64)
        for y, row in enumerate(box, starts[0]):
            for x, value in enumerate(row, starts[1]):
                if 0 <= y < SIDE and 0 <= x < SIDE:
                    image[y, x] = value
        return image


def footprints(size: int) -> np.ndarray:
    """(20, size): the weight of each scan pixel in each output pixel, -1 if it is not touched."""
    weights = np.full((BOX, size), -1)
    traced = size in (35, 70, 75)
    for i in range(BOX):
        start, stop = i * size, (i + 1) * size
        for pixel in range(start // BOX, -(-stop // BOX)):
            covered = min(stop, BOX * pixel + BOX) - max(start, BOX * pixel)
            late = pixel == start // BOX and (start % BOX != 0 or (traced and i == 4))
            weights[i, pixel] = 5 * covered - late
        if traced and i == 3:
            weights[i, -(-stop // BOX)] = 0
    return weights
