"""All 10,000 test images in a real file; RECVAE_DATA must name a folder with MNIST/raw."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from recvae.cli import main


@pytest.mark.slow
def test_rates_of_the_test_set(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, dataset: Callable[[str], Path]
) -> None:
    """The promised rates, and every byte back."""
    images = dataset("MNIST/raw") / "t10k-images-idx3-ubyte"
    packed, back = tmp_path / "t10k.recvae", tmp_path / "t10k-images-idx3-ubyte"

    def run(*arguments: object) -> dict:
        assert main([*(str(argument) for argument in arguments), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    result = run("compress", images, packed, "--elbo")
    assert 8 * packed.stat().st_size / 7_840_000 == pytest.approx(
        result["bits_per_pixel"], abs=1e-5
    )
    assert result["bits_per_pixel"] <= 1.20
    assert result["overhead_bpp"] <= 0.02
    run("decompress", packed, back)
    assert back.read_bytes() == images.read_bytes()

    single = tmp_path / "single.recvae"
    alone = run("compress", images, single, "--group-size", 1)
    assert alone["bits_per_pixel"] - result["negative_elbo_bpp"] <= 0.06
    run("verify", single, "--against", images)
