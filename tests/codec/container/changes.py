"""Kinds of damage to the bytes of a file."""

from collections.abc import Sequence

from hypothesis import strategies as st

Change = tuple[str, float, bytes]
"""What happens, where (0 to 1), and bytes."""

changes = st.tuples(
    st.sampled_from(["flip", "overwrite", "insert", "remove"]),
    st.floats(0, 1, exclude_max=True),
    st.binary(min_size=1, max_size=90),
)


def changed(
    data: bytes, begin: int, damages: Sequence[Change], spans: Sequence[tuple[int, int]]
) -> tuple[bytes, dict[int, tuple[int, int]]]:
    """Bytes after damages from `begin` on, and the new positions of the intact spans.

    Removed bytes may equal those behind them. Then a damaged span is intact by chance, at the
    expense of the next one, which is left out.
    """
    bytes_left: list[tuple[int, int | None]] = [(byte, i) for i, byte in enumerate(data)]
    for kind, where, garbage in damages:
        at = begin + int(where * (len(bytes_left) - begin))
        if kind == "flip":
            flipped = [(byte ^ garbage[0] | 1, None) for byte, _ in bytes_left[at : at + 1]]
            bytes_left[at : at + 1] = flipped
        else:
            replaced = 0 if kind == "insert" else len(garbage)
            new = () if kind == "remove" else garbage
            bytes_left[at : at + replaced] = [(byte, None) for byte in new]
    result = bytes(byte for byte, _ in bytes_left)
    new_places = {i: place for place, (_, i) in enumerate(bytes_left) if i is not None}
    alive: dict[int, tuple[int, int]] = {}
    by_chance: list[tuple[int, int]] = []
    for number, (start, stop) in enumerate(spans):
        place = new_places.get(start)
        if place is None:
            continue
        end = place + stop - start
        if all(new_places.get(start + i) == place + i for i in range(stop - start)):
            alive[number] = (place, end)
        elif result[place:end] == data[start:stop]:
            by_chance.append((place, end))
    for place, end in by_chance:
        alive = {n: own for n, own in alive.items() if own[1] <= place or own[0] >= end}
    return result, alive
