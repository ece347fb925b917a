"""The stored notebooks: run from top to bottom, small, and free of traces of the machine.

That they run is checked by nbmake, which collects `notebooks` beside these tests.
"""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_BYTES = 130_000


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestKept:
    def test_run_in_order_and_without_a_complaint(self, path):
        cells = code_cells(path)
        assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
        for output in outputs(path):
            assert output["output_type"] in ("stream", "display_data", "execute_result")
            assert output.get("name") != "stderr", "".join(output["text"])

    def test_small(self, path):
        assert path.stat().st_size < MAX_BYTES

    def test_nothing_volatile(self, path):
        notebook = json.loads(path.read_text())
        assert set(notebook["metadata"]) == {"kernelspec"}
        assert all(not cell["metadata"] for cell in notebook["cells"])

    def test_no_path_out_of_the_project(self, path):
        text = "".join(json.dumps({**output, "data": ""}) for output in outputs(path))
        text += "".join("".join(cell["source"]) for cell in code_cells(path))
        assert not any(root in text for root in ("/home/", "/root", "/tmp", "/usr", str(ROOT)))


def code_cells(path: Path) -> list[dict]:
    cells = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def outputs(path: Path) -> list[dict]:
    return [output for cell in code_cells(path) for output in cell["outputs"]]
