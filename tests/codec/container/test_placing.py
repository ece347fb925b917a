"""The numbers of recovered images, from what is known about those between them."""

import math

from codec.container.files import HASH
from recvae.codec.container import Header
from recvae.codec.container.placing import Layout, Lost, Placed, RecoveredRange, lost_images, place
from recvae.codec.container.salvaged import Salvage

# Three groups of 3 images, with other bytes between them.
GROUPS: list[list[Placed]] = [[(38, 50, 3)], [(60, 70, 3)], [(90, 99, 3)]]
LOST = {50: (60, 2), 70: (80, 1), 80: (90, 3)}  # from the heads of damaged groups


def bounds(num_images: int | None, milestones: dict[int, int], in_place: bool, heads: dict):
    layout = Layout(99, num_images, {38: 0} | milestones, in_place)
    placed = place(GROUPS, layout, lambda position: heads.get(position, (math.inf, 0)))
    return [(recovered.low, recovered.high) for recovered in placed]


def test_heads_of_damaged_groups_lead_from_one_to_the_next() -> None:
    assert bounds(None, {}, False, LOST) == [(0, 0), (5, 5), (12, 12)]
    assert bounds(None, {}, False, {50: (60, 2)}) == [(0, 0), (5, 5), (8, math.inf)]


def test_a_head_that_leads_elsewhere_says_nothing() -> None:
    astray = {50: (61, 2), 70: (90, 4)}
    assert bounds(None, {}, False, astray) == [(0, 0), (3, math.inf), (10, math.inf)]
    # Since no bytes are missing, there was at least one image in between.
    assert bounds(None, {}, True, astray) == [(0, 0), (4, math.inf), (11, math.inf)]


def test_milestones_bound_what_lies_before_and_behind_them() -> None:
    assert bounds(20, {99: 20}, True, {}) == [(0, 0), (4, 13), (17, 17)]
    assert bounds(20, {90: 16, 99: 19}, True, {50: (60, 2)}) == [(0, 0), (5, 5), (16, 16)]


def test_heads_that_contradict_the_milestones_are_left_out() -> None:
    assert bounds(20, {99: 20}, True, LOST) == [(0, 0), (4, 13), (17, 17)]


def test_what_is_told_of_recovered_ranges() -> None:
    placed, full = (
        RecoveredRange([(38, 50, 3), (50, 60, 2)], 0, 0),
        RecoveredRange([(38, 50, 3)], 6, 6),
    )
    loose = RecoveredRange([(60, 70, 2)], 5, 9)
    assert [recovered.ends_file(3) for recovered in (placed, full, loose)] == [True, False, False]
    # Images at unknown places count as missing ones, however few these are.
    assert lost_images([placed, loose, full], 14, Layout(99, 14, {}, True)) == [Lost(9, 14, 5)]
    header = Header(HASH, height=4, width=5, group_size=3)
    salvage = Salvage(b"", header, [placed, loose, full], 14, [], None, True, [])
    assert salvage.as_dict()["unplaced"] == [{"first": 5, "last": 6}]
