"""Parts of pictures by copies."""

from spec.coder import MASK64, TOTAL, RangeDecoder

MIX = 0x9E3779B97F4A7C15


class Copies:
    """State from earlier parts of a stream."""

    def __init__(self) -> None:
        self.memories: list[dict[int, tuple[int, int]]] = [{}, {}]  # colour, confidence
        self.answers: dict[int, tuple[int, int]] = {}
        self.bits: dict[int, tuple[int, int]] = {}


def mix(state: int, colour: int) -> int:
    """Continue a hash."""
    mixed = (state ^ colour) * MIX & MASK64
    return mixed ^ mixed >> 29


def decode_bit(coder: RangeDecoder, symbols: dict[int, tuple[int, int]], place: int) -> int:
    """A bit, whose probability adapts."""
    probability, seen = symbols.get(place, (1 << 15, 0))
    one = min(max(probability, 32), (1 << 16) - 32) << 8
    bit = 1 - coder.symbol((one, TOTAL - one))
    shift = min(1 + seen // 2, 7)
    symbols[place] = probability + ((bit << 16) - probability >> shift), min(seen + 1, 14)
    return bit


def decode_copies(
    coder: RangeDecoder, copies: Copies, height: int, width: int, channels: int
) -> list[list[list[int]]]:
    """A part of a picture, row by row."""
    colours = [[0] * width for _ in range(height)]
    limit = (1 << 8 * channels) - 1

    def colour_at(y: int, x: int) -> int:
        return colours[y][x] if y >= 0 and 0 <= x < width else 0

    for y in range(height):
        for x in range(width):
            around = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))
            near = [colour_at(y + i, x + j) for i, j in around]
            left, above, corner, right = near[:4]
            hashes = [channels]
            for colour in near:
                hashes.append(mix(hashes[-1], colour))
            places = hashes[6] >> 48, hashes[2] >> 48
            kept = [m.get(p, (-1, 0)) for m, p in zip(copies.memories, places, strict=True)]
            pattern = (left == above) + 2 * (above == corner) + 4 * (above == right)
            candidates = [*kept, (left, 0), (above, 0), (right, 0), (corner, 0)]
            refused = {-1}
            for i, (candidate, confidence) in enumerate(candidates):
                if candidate in refused:
                    continue
                refused.add(candidate)
                agrees = 2 * (candidate == left) + (candidate == above)
                place = ((8 * i + confidence) * 8 + pattern) * 4 + agrees
                if decode_bit(coder, copies.answers, place):
                    found = candidate
                    break
            else:
                found = 1
                for _ in range(8 * channels):
                    place = mix(channels, found) >> 48
                    found = 2 * found + decode_bit(coder, copies.bits, place)
                found &= limit
            for memory, place, (colour, sure) in zip(copies.memories, places, kept, strict=True):
                memory[place] = (found, min(sure + 1, 7) if colour == found else 0)
            colours[y][x] = found & limit
    return [
        [[colour >> 8 * i & 255 for i in range(channels - 1, -1, -1)] for colour in row]
        for row in colours
    ]
