"""The properties of each algorithm, which select its test suites."""

from dataclasses import replace

from recvae.rec import ALGORITHMS, Partition, Setting

PARTITIONED = {"partitioned PFR, sup", "partitioned PFR, mass", "partitioned ORC"}
PER_DIMENSION = {"A*", "branch-and-bound GPRS", "dithered quantisation"}
APPROXIMATE = {"ORC", "MRC", "partitioned ORC"}
NAMES = {"PFR", "GPRS"} | PARTITIONED | PER_DIMENSION | APPROXIMATE


def test_what_the_algorithms_are() -> None:
    known = [ALGORITHMS[name] for name in NAMES]
    assert {it.name for it in known} == NAMES
    assert {it.name for it in known if it.partitioned} == PARTITIONED
    assert {it.name for it in known if it.per_dimension} == PER_DIMENSION
    assert {it.name for it in known if not it.exact} == APPROXIMATE


def test_a_setting_is_of_the_first_block_unless_it_says_another() -> None:
    setting = Setting(Partition.none(2), 4)
    coder = ALGORITHMS["ORC"].coder(setting)
    assert (setting.block, coder.block) == (0, 0)
    assert ALGORITHMS["ORC"].coder(replace(setting, block=3)).block == 3
