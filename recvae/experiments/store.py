"""The measured rows of a run: one JSON file each, so that an interrupted run goes on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import recvae
from recvae.errors import InputError
from recvae.experiments.running import write_files
from recvae.files import translate_os_errors

SETTINGS = "settings"
Measured = dict[str, Any]
"""What a row measured, by column, and the settings that it was measured with."""


class Row(Protocol):
    """What a store needs to know of a row."""

    @property
    def slug(self) -> str:
        """Name of its file, without ending."""
        ...

    @property
    def model(self) -> str:
        """Name of what codes it."""
        ...

    def settings(self) -> dict[str, Any]:
        """What decides its numbers beside model and run, plain values."""
        ...


@dataclass(frozen=True)
class Store:
    """Rows below a folder, each of which counts only for the settings that it was measured with.

    Those of another run, by settings or model, are refused: whoever names the folder may not mean
    it. Those of another version, or of a row that is defined otherwise by now, are as if not there.

    Fields:
        folder: of the run.
        settings: what all rows of the run have in common, plain values.
        model_hashes: of the models that are there, by name.
    """

    folder: Path
    settings: dict[str, Any]
    model_hashes: Mapping[str, str]

    def path(self, row: Row) -> Path:
        """The file of a row."""
        return self.folder / "rows" / f"{row.slug}.json"

    def check(self, rows: Sequence[Row]) -> None:
        """Raise InputError if the folder holds rows of another run than of these rows."""
        for row in rows:
            if row.model in self.model_hashes:
                self.load(row)
        known = {self.path(row) for row in rows}
        for path in sorted(self.folder.glob("rows/*.json")):
            if path not in known:
                raise InputError(f"{path} is no row of this run: {_REMEDY}")

    def load(self, row: Row) -> Measured | None:
        """What a row measured; None if it has not been, or was by other settings of its own.

        Raises InputError for a file of another run or one that cannot be read.
        """
        path = self.path(row)
        if not path.exists():
            return None
        with translate_os_errors(path):
            text = path.read_bytes()
        try:
            measured = json.loads(text)
            found = dict(measured.pop(SETTINGS))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(f"{path} is not a measured row: delete it") from error
        for name, wanted in self._run_settings(row).items():
            given = found.get(name)
            if given != wanted:
                here = f"{name} {json.dumps(given)}, not {json.dumps(wanted)}"
                raise InputError(f"{path} was measured with {here}: {_REMEDY}")
        return measured if found == self._settings(row) else None

    def save(self, row: Row, measured: Measured) -> None:
        """Keep what a row measured; whole or not at all."""
        path = self.path(row)
        with translate_os_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(measured | {SETTINGS: self._settings(row)}, indent=1)
        write_files({path: f"{text}\n".encode()})

    def _settings(self, row: Row) -> dict[str, Any]:
        return row.settings() | {"version": recvae.__version__} | self._run_settings(row)

    def _run_settings(self, row: Row) -> dict[str, Any]:
        return self.settings | {"model_hash": self.model_hashes[row.model]}


_REMEDY = "choose another folder for --out, or delete its folder rows"
