"""The bits of bitmaps: each depends on known bits around it and its position in the box.

The boxes of a batch may differ in size. They are coded wavefront by wavefront (see
`recvae.vae.networks.context`), over all bitmaps at once. Outside a box there is no ink.
"""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from recvae.bitmaps import MAX_SIZE
from recvae.vae.networks.context import Context, neighbours, runs, wavefronts
from recvae.vae.networks.layers import Dense, Embedding, Residual
from recvae.vae.networks.passes import Pass, Passes, piece_length

LEARNED_COLUMNS = 6  # of the vector that represents a distance to a side
SIDES = 4
NEAR = 2  # training uses all bits whose context within this radius is mixed,
KEPT = 0.15  # and this share of the others
TRAINING_PIECE = 1 << 13  # bits evaluated at once, so that the data stay in the cache


class InkDecoder(nn.Module):
    """p(bits | condition of each bitmap) in wavefronts; see the module's docstring.

    Args:
        condition_size: size of the condition of each bitmap.
        channels, blocks: width and number of the residual blocks.
        radius: of the contexts, whose slope is half of it plus one.
    """

    def __init__(self, condition_size: int, channels: int, blocks: int, radius: int) -> None:
        super().__init__()
        self.radius, self.slope = radius, radius // 2 + 1
        self.neighbours = neighbours(radius, self.slope)
        with torch.device("cpu"):  # not on the meta device, where arithmetic imports a compiler
            values, distances = torch.arange(2.0)[:, None], torch.arange(MAX_SIZE)[:, None]
            distances = distances / MAX_SIZE
        self.values = Embedding(values, 0)
        self.sides = nn.ModuleList(Embedding(distances, LEARNED_COLUMNS) for _ in range(SIDES))
        self.inputs = len(self.neighbours) + SIDES * (1 + LEARNED_COLUMNS) + condition_size
        self.join = Dense(self.inputs, channels)
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.bit = Dense(channels, 2, relu=False)

    def log_likelihood_nats(self, condition: Tensor, ink: Tensor, extents: Tensor) -> Tensor:
        """log p of bits (b, h, w) uint8 in their boxes, (b,); in training an unbiased estimate.

        condition: (b, a); extents: (b, 2) int64, height and width of each box.
        """
        boxes = _Boxes(extents)
        context, bits = self._context(boxes, condition.dtype), ink.flatten().long()
        context.fill(torch.arange(len(bits), device=ink.device), bits)
        sites, weights = boxes.sites, None
        if self.training:
            plain = self._plain(ink).flatten().index_select(0, sites)
            kept = ~plain | (torch.rand(len(sites), device=ink.device) < KEPT)
            sites = sites[kept]
            weights = torch.where(plain[kept], 1 / KEPT, 1.0)
        result = torch.zeros(len(ink), dtype=torch.float32, device=ink.device)
        for start in range(0, len(sites), TRAINING_PIECE):
            piece = slice(start, start + TRAINING_PIECE)
            known = self._known(condition, boxes, sites[piece])
            logits = self.bit_logits(context.around(sites[piece]), known).float()
            log_p = -functional.cross_entropy(logits, bits[sites[piece]], reduction="none")
            if weights is not None:
                log_p = log_p * weights[piece]
            result = result.index_add(0, boxes.image_numbers(sites[piece]), log_p)
        return result

    def passes(self, condition: Tensor, extents: Tensor) -> Passes:
        """Code one pass for each wavefront of the largest possible box; return bits (b, h, w)."""
        boxes = _Boxes(extents)
        context = self._context(boxes, condition.dtype)
        ink = torch.zeros(boxes.count * boxes.area, dtype=torch.int64, device=condition.device)
        for fronts in self._runs(boxes):
            sites, sizes = torch.cat(list(fronts)), [len(front) for front in fronts]
            images = boxes.image_numbers(sites).split(sizes)
            known = self._known(condition, boxes, sites).split(sizes)
            for front, front_images, front_condition in zip(fronts, images, known, strict=True):
                logits = self.bit_logits(context.around(front), front_condition)
                bits = yield Pass(2, logits.__getitem__, front_images)
                context.fill(front, bits)
                ink.index_copy_(0, front, bits)
        # The number of passes must not depend on the batch.
        done, none = boxes.width + self.slope * (boxes.height - 1), ink[:0]
        for _ in range(done, MAX_SIZE + self.slope * (MAX_SIZE - 1)):
            yield Pass(2, condition.new_zeros(0, 2).__getitem__, none)
        return ink.reshape(boxes.count, boxes.height, boxes.width)

    def known_passes(
        self, condition: Tensor, ink: Tensor, extents: Tensor
    ) -> Iterator[tuple[Pass, Tensor]]:
        """The passes for known ink (b, h, w), many wavefronts as one, each with its bits."""
        boxes = _Boxes(extents)
        context, bits = self._context(boxes, condition.dtype), ink.flatten().long()
        context.fill(torch.arange(len(bits), device=ink.device), bits)
        for fronts in self._runs(boxes):
            sites = torch.cat(list(fronts))
            logits = self.bit_logits(context.around(sites), self._known(condition, boxes, sites))
            yield Pass(2, logits.__getitem__, boxes.image_numbers(sites)), bits[sites]

    def bit_logits(self, context: Tensor, known: Tensor) -> Tensor:
        """(n, 2) from contexts (n, neighbours) and the rest (n, columns)."""
        return self.bit(self.blocks(self.join(torch.cat([context, known], dim=1))))

    def input_limit(self, path: str, limit: int) -> int | Tensor:
        """See `Decoder`: in the input of `join`, the context and the tables are known."""
        if path != "join":
            return limit
        embeddings = cast(list[Embedding], [self.values] * len(self.neighbours) + [*self.sides])
        known = torch.cat([each.table.double().abs().amax(dim=0) for each in embeddings])
        return torch.cat([known, known.new_full((self.inputs - len(known),), limit)])

    def _context(self, boxes: "_Boxes", dtype: torch.dtype) -> Context:
        table = self.values(torch.arange(2, device=boxes.extents.device)).to(dtype)
        shape = (boxes.count, boxes.height, boxes.width)
        return Context(table, shape, self.radius, self.slope)

    def _runs(self, boxes: "_Boxes") -> Iterator[Sequence[Tensor]]:
        fronts = wavefronts(boxes.sites, boxes.height, boxes.width, self.slope)
        return runs(fronts, piece_length(self.inputs))

    def _known(self, condition: Tensor, boxes: "_Boxes", sites: Tensor) -> Tensor:
        """The inputs for the bits at the sites (n,) besides their contexts, (n, columns)."""
        images = boxes.image_numbers(sites)
        distances = boxes.distances(images, sites)
        sides = [side(d).to(condition.dtype) for side, d in zip(self.sides, distances, strict=True)]
        return torch.cat([*sides, condition.index_select(0, images)], dim=1)

    def _plain(self, ink: Tensor) -> Tensor:
        """Where all bits of the context within `NEAR` are equal: (b, h, w) to the same, bool."""
        height, width = ink.shape[1:]
        padded = functional.pad(ink, (NEAR, NEAR, NEAR, 0))
        near = [(up, right) for up, right in self.neighbours if up <= NEAR and abs(right) <= NEAR]
        count = torch.zeros_like(ink)
        for up, right in near:
            row, column = NEAR - up, NEAR + right
            count += padded[:, row : row + height, column : column + width]
        return (count == 0) | (count == len(near))


class _Boxes:
    """Boxes of any sizes in canvases (count, height, width), each in the upper left corner.

    Fields:
        extents: (count, 2) int64, height and width of each.
        sites: (n,) int64, ascending: the sites within the boxes.
    """

    def __init__(self, extents: Tensor) -> None:
        self.extents, self.count = extents, len(extents)
        largest: list[int] = extents.amax(0).tolist() if len(extents) else [1, 1]
        self.height, self.width = largest
        self.area = self.height * self.width
        rows = torch.arange(self.height, device=extents.device)[:, None] < extents[:, :1, None]
        columns = torch.arange(self.width, device=extents.device) < extents[:, 1:, None]
        self.sites = (rows & columns).flatten().nonzero()[:, 0]

    def image_numbers(self, sites: Tensor) -> Tensor:
        """The box of each site, (n,)."""
        return sites // self.area

    def distances(self, images: Tensor, sites: Tensor) -> tuple[Tensor, ...]:
        """Distances to the upper, lower, left and right side of the box, in bits, (n,) each."""
        row, column = sites // self.width % self.height, sites % self.width
        rows, columns = self.extents.index_select(0, images).unbind(1)
        return row, rows - 1 - row, column, columns - 1 - column
