"""The synthetic experiments: one quick run of the command, and checks of its numbers."""

import csv
import io
import math
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recvae.experiments.cli import main
from recvae.experiments.figures import panels
from recvae.experiments.synthetic import command
from recvae.experiments.synthetic.experiment import Findings
from recvae.experiments.synthetic.search import PARTITIONS, OpenPFR
from recvae.experiments.synthetic.targets import random_posteriors, typical_posterior
from recvae.experiments.tables import Table

COLUMNS = {
    "search": "coder,sent,bin_1,bin_2,rank,z_1,z_2",
    "search_bins": "bin_1,bin_2,weight",
    "runtime": "coder,d_inf_bits,items,mean_d_inf_bits,mean_steps,standard_error_steps,"
    "quartile_1_steps,quartile_3_steps,predicted_mean_steps,capped_share,published_mean_steps",
    "code_length": "informative_dimensions,coder,information_bits,log2_bins,index_code,"
    "zeta_exponent,items,code_length_bits,standard_error_bits,capped_share,"
    "published_code_length_bits",
    "orc_bias": "coder,kl_bits,log2_bins,threshold_squared_mmd,candidates,published",
    "orc_bias_mmd": "coder,kl_bits,log2_bins,candidates,squared_mmd,standard_error,samples",
    "ablation": "strategy,dimension,information_bits,intervals,candidates,samples,ks_statistic,"
    "mean_error_scales,scale_ratio,bits_of_all_dimensions",
    "ablation_histogram": "strategy,dimension,from_z,to_z,sampled_density,target_density",
    "large_blocks": "dim,information_bits,log2_candidates,log2_bins_over_information,log2_bins,"
    "items,search_kl_bits,shortfall_bits,shortfall_standard_error_bits,"
    "mean_squared_error_scales2,bits_over_kl,bits_over_kl_standard_error,rank_bits",
    "side_by_side": "algorithm,kl_bits,items,log2_bins,bits_over_kl,bits_over_kl_standard_error,"
    "mean_candidates,seconds_per_sample,capped_share,shortfall_bits,shortfall_standard_error_bits",
}
FIGURES = set(COLUMNS) - {"search_bins", "orc_bias_mmd", "ablation_histogram"}
NAMES = {"coder", "index_code", "strategy", "algorithm"}

Rows = list[dict[str, str]]

whole_run = pytest.mark.slow  # it takes half a minute


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the whole quick run fills."""
    out = tmp_path_factory.mktemp("experiments") / "made" / "here"
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["synthetic", "--quick", "--out", str(out)]) == 0
    lines = printed.getvalue().splitlines()
    listed = {Path(line).name for line in lines if line.startswith(str(out))}
    assert listed == {path.name for path in out.iterdir()}
    assert any("standard PFR" in line for line in lines)
    return out


@pytest.fixture(scope="module")
def rows(quick_run: Path) -> Callable[[str], Rows]:
    def read(stem: str) -> Rows:
        with open(quick_run / f"{stem}.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return read


@whole_run
def test_all_files_are_made(quick_run: Path) -> None:
    figures = {f"{stem}.{kind}" for stem in FIGURES for kind in ("png", "svg")}
    tables = {f"{stem}.csv" for stem in COLUMNS}
    assert {path.name for path in quick_run.iterdir()} == figures | tables
    for path in quick_run.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    for path in quick_run.glob("*.svg"):
        assert "<dc:date>" not in path.read_text()


@whole_run
@pytest.mark.parametrize("stem", COLUMNS)
def test_tables_have_the_stated_columns_and_finite_numbers(
    rows: Callable[[str], Rows], stem: str
) -> None:
    table = rows(stem)
    assert len(table) >= 9
    for row in table:
        assert ",".join(row) == COLUMNS[stem]
        numbers = [cell for column, cell in row.items() if column not in NAMES and cell]
        assert all(math.isfinite(float(cell)) for cell in numbers)


@whole_run
def test_bins_shorten_the_search_of_the_picture(rows: Callable[[str], Rows]) -> None:
    drawn = rows("search")
    for coder in ("standard", "partitioned"):
        assert sum(row["sent"] == "1" for row in drawn if row["coder"] == coder) == 1
    standard = sum(row["coder"] == "standard" for row in drawn)
    assert len(drawn) - standard < standard / 5
    weights = {(row["bin_1"], row["bin_2"]): float(row["weight"]) for row in rows("search_bins")}
    assert sum(weights.values()) == pytest.approx(1, abs=1e-4)
    for row in drawn[standard:]:  # candidates fall only where the sender expects some
        assert weights[row["bin_1"], row["bin_2"]] > 0.01


@whole_run
def test_steps_are_those_of_theory_and_partitions_save_them(rows: Callable[[str], Rows]) -> None:
    table = rows("runtime")
    for row in table:
        if int(row["items"]) >= 100:
            assert float(row["mean_steps"]) == pytest.approx(
                float(row["predicted_mean_steps"]), rel=0.4
            )
    steps = {(row["coder"], int(row["d_inf_bits"])): float(row["mean_steps"]) for row in table}
    for d_inf_bits in (9, 10, 11):
        standard, partitioned = (
            steps[name, d_inf_bits] for name in ("standard PFR", "partitioned PFR")
        )
        assert partitioned < standard / 3


@whole_run
def test_no_code_is_shorter_than_the_information(rows: Callable[[str], Rows]) -> None:
    for row in rows("code_length"):
        over = float(row["code_length_bits"]) - float(row["information_bits"])
        assert 0 < over < 6
    for row in rows("side_by_side"):
        if float(row["capped_share"]) == 0 and float(row["shortfall_bits"]) < 0.5:
            assert float(row["bits_over_kl"]) > 0


@whole_run
def test_more_candidates_are_less_biased(rows: Callable[[str], Rows]) -> None:
    values = {
        (row["coder"], row["kl_bits"], int(row["candidates"])): float(row["squared_mmd"])
        for row in rows("orc_bias_mmd")
    }
    for (coder, kl_bits, candidates), value in values.items():
        assert values.get((coder, kl_bits, 4 * candidates), -1) < value
    needed = {
        (row["coder"], row["kl_bits"], row["threshold_squared_mmd"]): float(row["candidates"])
        for row in rows("orc_bias")
    }
    assert needed["standard ORC", "7", "0.006"] > 10 * needed["partitioned ORC", "7", "0.006"]
    assert needed["standard ORC", "7", "0.006"] > needed["standard ORC", "7", "0.012"]


@whole_run
def test_only_cutting_informative_dimensions_helps(rows: Callable[[str], Rows]) -> None:
    worst = {
        name: max(float(row["ks_statistic"]) for row in rows("ablation") if row["strategy"] == name)
        for name in ("no partition", "collapsed dimension only", "by mutual information")
    }
    assert worst["by mutual information"] < 0.05
    assert worst["no partition"] > 0.2
    assert worst["collapsed dimension only"] > 0.2


@whole_run
def test_histograms_hold_the_samples(rows: Callable[[str], Rows]) -> None:
    mass = sum(
        float(row["sampled_density"]) * (float(row["to_z"]) - float(row["from_z"]))
        for row in rows("ablation_histogram")
        if row["strategy"] == "by mutual information" and row["dimension"] == "0"
    )
    assert mass == pytest.approx(1, abs=0.01)


@whole_run
def test_bins_unburden_the_search_of_large_blocks(rows: Callable[[str], Rows]) -> None:
    table = rows("large_blocks")
    bias = {
        (row["dim"], row["information_bits"], float(row["log2_bins_over_information"])): float(
            row["shortfall_bits"]
        )
        for row in table
    }
    for block in {(row["dim"], row["information_bits"]) for row in table}:
        assert bias[*block, 1.2] < bias[*block, 0.6] < bias[*block, 0.0]


@whole_run
def test_every_algorithm_stands_in_the_comparison(rows: Callable[[str], Rows]) -> None:
    levels: dict[str, list[str]] = {}
    for row in rows("side_by_side"):
        levels.setdefault(row["algorithm"], []).append(row["kl_bits"])
    assert len(levels) == 10
    assert set(map(tuple, levels.values())) == {("2", "5", "10")}


@whole_run
def test_a_seed_names_the_result_whatever_else_runs(quick_run: Path, tmp_path: Path) -> None:
    same, other = tmp_path / "same", tmp_path / "other"
    options = ["synthetic", "--quick", "--only", "ablation", "--out"]
    assert main([*options, str(same)]) == 0
    assert main([*options, str(other), "--seed", "1"]) == 0
    files = sorted(path.name for path in same.iterdir())
    assert files == [f"ablation{end}" for end in (".csv", ".png", ".svg", "_histogram.csv")]
    for file in files:
        assert (same / file).read_bytes() == (quick_run / file).read_bytes()
        assert (same / file).read_bytes() != (other / file).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "{file}"], "is not a folder"),
        (["--out", "{file}/below"], "{file}/below: Not a directory"),
        (["--out", "{folder}", "--only", "ablation", "unknown"], "no such experiment"),
        (["--out", "{folder}", "--seed", "-1"], "--seed -1"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    places = {"file": str(tmp_path / "file"), "folder": str(tmp_path / "folder")}
    (tmp_path / "file").touch()
    assert main(["synthetic", *(option.format(**places) for option in options)]) == 2
    said = capsys.readouterr()
    assert re.fullmatch(r"recvae\.experiments: [^\n]+\n", said.err)
    assert message.format(**places) in said.err
    assert not said.out
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "options", "need"),
    [
        ("matplotlib", ["synthetic"], "synthetic: the figures need matplotlib"),
        ("jinja2", ["mnist", "--quick"], "mnist: the report needs Jinja2"),
    ],
)
def test_what_is_not_installed_is_one_line(
    tmp_path: Path, module: str, options: list[str], need: str
) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from recvae.experiments.cli import main\n"
        f"sys.exit(main({[*options, '--out', str(tmp_path / 'out')]}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"recvae.experiments: {need}: pip install 'recvae[experiments]'\n"
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def done(*_: object) -> Findings:
        table = Table(("name", "bits"))
        table.add("a", 1.0)
        return Findings({"ablation": table}, {"ablation": panels(1, 1)[0]}, "done", [])

    monkeypatch.setitem(command.EXPERIMENTS, "ablation", done)
    monkeypatch.setitem(command.EXPERIMENTS, "side_by_side", interrupted)
    options = ["synthetic", "--quick", "--only", "ablation", "side_by_side"]
    assert main([*options, "--out", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", PARTITIONS)
def test_the_picture_shows_the_candidates_of_the_search(name: str) -> None:
    target, key = typical_posterior([3.0, 2.0], 20), torch.arange(20)
    coder = OpenPFR(PARTITIONS[name])
    found = coder.search(target, key, torch.Generator().manual_seed(0))
    for item, length in enumerate(found.num_drawn.tolist()):
        cut = replace(coder, max_candidates=length)
        part = target[item : item + 1], key[item : item + 1], torch.Generator().manual_seed(0)
        drawn = cut.candidates(*part)
        assert torch.equal(drawn.bins[0, 0], found.code.bins[item])
        assert drawn.ranks[0, 0] == found.code.ranks[item]
        codes = torch.cat([drawn.bins[0], drawn.ranks[0, :, None]], dim=1)
        assert len(codes.unique(dim=0)) == length


def test_targets_carry_their_information() -> None:
    shares = [3.0, 1.0, 0.0]
    target = random_posteriors(shares, 20_000, torch.Generator().manual_seed(0))
    assert target.kl_bits().mean(0).tolist() == pytest.approx(shares, abs=0.03)
    variance = target.mean.square().mean(0) + target.scale[0].square()
    assert variance.tolist() == pytest.approx([1, 1, 1], abs=0.05)
    typical = typical_posterior(shares, 2)
    assert typical.kl_bits()[1].tolist() == pytest.approx(shares)
