"""README and docs: code blocks run, links have targets.

The blocks of a page run in order, in one namespace and one folder, which holds the images that the
pages name. A mark after the language of a fence says why a block does not run here; the options of
its commands are checked.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

import recvae.cli
import recvae.experiments.cli
from recvae.codec import IMAGE_CODERS
from recvae.codec.vae.latents import LATENT_CODECS
from recvae.images import Images, sample_images, write_images
from recvae.images.formats.registry import FORMATS
from recvae.rec import ALGORITHMS
from recvae.rec.search import BACKENDS
from recvae.vae.networks import NETWORKS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"python", "sh"}  # these are run
MARKS = {"install", "data", "train", "slow", "gpu"}
REGISTRIES = (ALGORITHMS, BACKENDS, LATENT_CODECS, NETWORKS, FORMATS, IMAGE_CODERS)
FENCE = re.compile(r"^```(\w[\w-]*) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the mark after it, its text."""

    language: str
    mark: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command, including those in a pipe."""
        lines = self.text.replace("\\\n", " ").splitlines()
        words = [word for line in lines for word in (*shlex.split(line, comments=True), "|")]
        groups = groupby(words, lambda word: word == "|")
        return [list(group) for is_pipe, group in groups if not is_pipe]


def blocks(page: Path) -> list[Block]:
    found = (Block(*match.groups()) for match in FENCE.finditer(page.read_text()))
    return [block for block in found if block.language in LANGUAGES]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


RUNNING = [page for page in PAGES if not all(block.mark for block in blocks(page))]
MARKED = [page for page in PAGES if any(block.mark for block in blocks(page))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that blocks run in; afterwards, registries are restored."""
    monkeypatch.chdir(tmp_path)
    digits = sample_images()[:20]
    write_images("digits-idx3-ubyte", Images(digits))
    write_images("images.npy", Images(digits))
    picture = (np.arange(16 * 32 * 3).reshape(16, 32, 3) * 97 // 300).astype(np.uint8)
    write_images("photo.png", Images(picture[None]))
    Path("FOLDER").mkdir()
    for number, pixels in enumerate((picture[:8, :16], picture[:8, :8, 0])):
        write_images(f"FOLDER/{number}.png", Images(pixels[None]))
    kept = [(registry, dict(registry)) for registry in REGISTRIES]
    yield tmp_path
    for registry, before in kept:
        registry.clear()
        registry.update(before)


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_blocks_run(page: Path, folder: Path) -> None:
    namespace: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page):
        if block.mark:
            continue
        if block.language == "python":
            exec(compile(block.text, name(page), "exec"), namespace)
            continue
        for words in block.commands:
            assert words[0] == "recvae", f"{words}: mark the block, {MARKS}"
            assert recvae.cli.main([*words[1:], "--quiet"]) == 0, words


@pytest.mark.parametrize("page", MARKED, ids=name)
def test_options_of_marked_blocks_exist(page: Path) -> None:
    for block in blocks(page):
        assert block.mark in {"", *MARKS}, f"{block.mark}: no such mark"
        for words in block.commands if block.mark else []:
            check_options(words)


def check_options(words: list[str]) -> None:
    """Parse a command of ours without running it; other commands are not checked."""
    if words[0] == "recvae":
        recvae.cli._parser().parse_args(words[1:])
    elif words[:3] == ["python", "-m", "recvae.experiments"]:
        recvae.experiments.cli._parser().parse_args(words[3:])
    elif words[:2] == ["python", "train.py"]:
        parse_training(words[2:])
    elif words[0] == "python" and words[1].startswith("benchmarks/"):
        source = (ROOT / words[1]).read_text()
        assert all(f'"{word}"' in source for word in words if word.startswith("--")), words


def parse_training(words: list[str]) -> None:
    from recvae.training import cli, export

    if words[0] == "export":
        export.export_parser().parse_args(words[1:])
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", ["train.py", *words, "--print_config"])
        with pytest.raises(SystemExit, match="0"):
            cli.run()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}
