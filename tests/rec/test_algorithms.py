"""What is said of each algorithm; the suites of exact and of approximate ones go by it."""

from recvae.rec import ALGORITHMS

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
