"""The pointer decoder in floats, one pixel of all images at a time, to draw samples."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recvae.vae.networks.passes import Passes
from recvae.vae.networks.pointer.tokens import windows

if TYPE_CHECKING:
    from recvae.vae.networks.pointer.decoder import PointerDecoder


def passes_in_floats(decoder: "PointerDecoder", z: Tensor) -> Passes:
    """Two passes for each position, the flag and then the value; see `recvae.vae.networks.passes`.

    z: (b, D).
    """
    features, past = decoder.upsample(z).flatten(1, 2), _Past(decoder, len(z), z.device)
    values = torch.zeros(len(z), decoder.height, decoder.width, dtype=torch.long, device=z.device)
    flat = values.view(len(z), -1)
    first = torch.arange(len(z), device=z.device) * flat.shape[1]
    for place in range(flat.shape[1]):
        around = windows(values, first + place, decoder.arguments.flag_radius)
        hidden = decoder.flag_hidden(decoder.flag_values(around).flatten(1), features[:, place])
        flags = yield decoder.pixel_pass(
            2, decoder.flag(hidden).__getitem__, first + place, lambda pixels: (pixels > 0).long()
        )
        inked = flags.nonzero()[:, 0]
        sites = first[inked] + place
        context = windows(values, sites, decoder.arguments.radius)
        logits = past.look(inked, place, context, hidden[inked], features[inked, place])
        symbols = yield decoder.pixel_pass(
            decoder.arguments.levels - 1, logits.__getitem__, sites, lambda pixels: pixels - 1
        )
        flat[inked, place] = symbols + 1
        past.keep(inked, symbols + 1)
    return values


class _Past:
    """The non-zero pixels so far, with a row for each image; the first entry stands for none."""

    def __init__(self, decoder: "PointerDecoder", count: int, device: torch.device) -> None:
        arguments = decoder.arguments
        most = decoder.height * decoder.width + 1
        self.decoder, rounds = decoder, len(decoder.rounds)
        self.counts = torch.zeros(count, dtype=torch.long, device=device)
        self.keys = torch.zeros(rounds, count, most, arguments.width, device=device)
        self.answers = torch.zeros_like(self.keys)
        self.values = torch.zeros(count, most, arguments.levels, device=device)
        for number, attention in enumerate(decoder.rounds):
            self.keys[number, :, :1] = attention.none_key(self.keys[number])
        self.known: list[Tensor] = []
        self.places = self.keys.new_zeros(0)

    def look(
        self, images: Tensor, place: int, context: Tensor, hidden: Tensor, features: Tensor
    ) -> Tensor:
        """Logits (n, levels - 1) of the pixels of some images at a position; see `keep`."""
        decoder, length = self.decoder, int(self.counts.max()) + 1
        rows = torch.full_like(images, place // decoder.width)
        self.places = decoder.places(rows, torch.full_like(images, place % decoder.width))
        x, self.known = decoder.enter(context, hidden, features, self.places), []
        later = torch.arange(length, device=x.device) > self.counts[images, None, None, None]
        for number, attention in enumerate(decoder.rounds):
            self.known.append(x)
            keys, answers = (cache[number, images, :length] for cache in (self.keys, self.answers))
            queries = attention.queries(x, self.places)[:, None]
            shares = attention.shares(queries, keys, later)
            x = attention.learn(x, attention.attended(shares, answers)[:, 0])
        values = self.values[images, :length]
        seen = values.amax(1)
        law = decoder.law(decoder.last(x + seen @ decoder.memory.table))
        mixed = (shares[:, :, 0] * decoder.strengths(law)[..., None]).sum(1)
        return decoder.law_logits(law, seen, (mixed[:, None] @ values)[:, 0])

    def keep(self, images: Tensor, values: Tensor) -> None:
        """Store the values (n,) of the pixels of the latest `look`."""
        self.counts[images] += 1
        at, own = self.counts[images], self.decoder.values(values)
        for number, (attention, x) in enumerate(zip(self.decoder.rounds, self.known, strict=True)):
            keys, answers = attention.answers(x, self.places, own)
            self.keys[number, images, at] = keys.float()  # of autocast
            self.answers[number, images, at] = answers.float()
        self.values[images, at, values] = 1
