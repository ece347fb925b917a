"""The cache of compiled functions knows every source that they are made of."""

from pathlib import Path

import recvae
from recvae import jit

ROOT = Path(recvae.__file__).parent


def test_packages_that_compile_name_the_cache() -> None:
    """One left out would leave stale code behind when its constants change."""
    texts = {path.relative_to(ROOT): path.read_text() for path in ROOT.rglob("*.py")}
    compiling = {path.parts[0] for path, text in texts.items() if "from recvae.jit import" in text}
    assert compiling
    assert compiling <= set(jit.PACKAGES)
    assert all((ROOT / package).is_dir() for package in jit.PACKAGES)
