"""Tables of experiments."""

import pytest

from recvae.experiments.tables import Table


def test_a_row_needs_a_cell_for_each_column() -> None:
    table = Table(("name", "bits"))
    table.add("a", 1 / 3)
    table.add("b, c", None)
    assert table.to_csv() == b'name,bits\na,0.333333\n"b, c",\n'
    with pytest.raises(ValueError, match="got 1, need 2"):
        table.add("d")
