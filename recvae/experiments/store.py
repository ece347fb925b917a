"""The measured rows of a run: one JSON file each, so that an interrupted run can continue."""

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
"""Measurements of a row, by column, and the settings they were made with."""


class Row(Protocol):
    """The interface of rows for a store."""

    @property
    def slug(self) -> str:
        """The name of its file, without extension."""
        ...

    @property
    def model(self) -> str:
        """The name of its model or codec."""
        ...

    def settings(self) -> dict[str, Any]:
        """Plain values that determine its numbers, besides model and run."""
        ...


@dataclass(frozen=True)
class Store:
    """Rows below a folder, each valid only for the settings it was measured with.

    Rows of another run, by settings or model, are refused, since the folder may be a mistake. Rows
    of another version, or whose definition has changed since, count as missing.

    Fields:
        folder: folder of the run.
        settings: settings shared by all rows of the run, plain values.
        model_hashes: hashes of the available models, by name.
    """

    folder: Path
    settings: dict[str, Any]
    model_hashes: Mapping[str, str]

    def path(self, row: Row) -> Path:
        """The file of a row."""
        return self.folder / "rows" / f"{row.slug}.json"

    def check(self, rows: Sequence[Row]) -> None:
        """Raise InputError if the folder holds rows of another run."""
        for row in rows:
            if row.model in self.model_hashes:
                self.load(row)
        known = {self.path(row) for row in rows}
        for path in sorted(self.folder.glob("rows/*.json")):
            if path not in known:
                raise InputError(f"{path} is not a row of this run: {_REMEDY}")

    def load(self, row: Row) -> Measured | None:
        """The measurements of a row; None if missing, or made with other settings of the row.

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
        """Store the measurements of a row, whole or not at all."""
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
