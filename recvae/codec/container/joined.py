"""The result of salvaging concatenated files, as one file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np

from recvae.codec.container.arrays import check_arrays
from recvae.codec.container.footer import ContainerSizes
from recvae.codec.container.header import Header
from recvae.codec.container.names import NAMES, pack_names
from recvae.codec.container.salvaged import Salvage, free_names
from recvae.codec.container.writer import ContainerWriter
from recvae.errors import InputError

_PARTS = ("header", "groups", "order", "index")


@dataclass(frozen=True)
class Left:
    """Bytes that were not saved.

    Fields:
        begin, end: the span, `end` excluded.
        reason: why not; None if they belong to no .recvae file.
        header: the file's header, if readable.
        num_images: images in the file, None if unknown.
    """

    begin: int
    end: int
    reason: str | None = None
    header: Header | None = None
    num_images: int | None = None


@dataclass(frozen=True)
class Rescue:
    """The result of salvaging concatenated files: all those made with the first one's model.

    Fields:
        files: what is left of each, in order; at least one.
        left: what was not saved: files of other models, files with nothing left, and bytes that
            belong to no file.
    """

    files: Sequence[Salvage]
    left: Sequence[Left] = ()

    @property
    def num_recovered(self) -> int:
        """Number of images recovered."""
        return sum(file.num_recovered for file in self.files)

    @property
    def num_images(self) -> int | None:
        """Number of images in the undamaged files, None if unknown."""
        counts = [file.num_images for file in self.files]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def damaged(self) -> list[str]:
        """Which of "header", "groups", "order", "index" are damaged in any of the files."""
        return [part for part in _PARTS if any(part in file.damaged for file in self.files)]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lost: no file, image, name or array, and no order."""
        whole = all(file.is_complete for file in self.files)
        left = any(bytes_left.reason for bytes_left in self.left)
        return whole and not (left or self.names_lost or self.arrays_lost)

    @cached_property
    def header(self) -> Header:
        """The header of the joined file: the common one, or one of version 2 if that cannot do.

        In version 1 groups have one size; only the last may hold fewer images.
        """
        first, *more = (file.header for file in self.files)
        last_is_full = (file.num_recovered % first.group_size == 0 for file in self.files[:-1])
        if set(more) <= {first} and (first.version > 1 or all(last_is_full)):
            return first
        size = max(header.group_size for header in (first, *more))
        return replace(first, version=2, group_size=size)

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the images; None if there are none or they are lost."""
        return self._names[0]

    @property
    def renamed(self) -> Sequence[int]:
        """The images that got a new name, as an earlier image already had theirs."""
        return self._names[1]

    @property
    def names_lost(self) -> bool:
        """Whether names of images are or may be lost."""
        return self._names[2] or any(file.names_lost for file in self.files)

    @property
    def arrays(self) -> Mapping[str, Any]:
        """The arrays beside the images: those that are alike in all files."""
        return self._arrays[0]

    @property
    def arrays_lost(self) -> tuple[str, ...]:
        """The names of lost arrays."""
        return self._arrays[1]

    @cached_property
    def _names(self) -> tuple[tuple[str, ...] | None, Sequence[int], bool]:
        """Names, the renamed images, and whether there are too many names."""
        if len(self.files) == 1 or not any(file.names for file in self.files):
            return self.files[0].names, (), False
        names: list[str | None] = []
        for file in self.files:
            names += file.names or [None] * file.num_recovered
        free = free_names(name for name in names if name)
        taken: set[str] = set()
        renamed = []
        for number, name in enumerate(names):
            if name in taken:
                names[number] = free(number)
                renamed.append(number)
            elif name is not None:
                taken.add(name)
        for number, name in enumerate(names):
            if name is None:
                default = f"{number:0{max(5, len(str(len(names) - 1)))}}.png"
                names[number] = free(number) if default in taken else default
        joined = tuple(name for name in names if name is not None)
        try:
            pack_names(joined)
        except InputError:
            return None, (), True
        return joined, renamed, False

    @cached_property
    def _arrays(self) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """The joined arrays, and the names of lost ones."""
        lost = dict.fromkeys(name for file in self.files for name in file.arrays_lost)
        if len(self.files) == 1:
            return self.files[0].arrays, tuple(lost)
        kept: dict[str, Any] = {NAMES: self.names} if self.names else {}
        with_images = [file for file in self.files if file.num_recovered] or self.files
        for name in dict.fromkeys(name for file in self.files for name in file.arrays):
            try:
                joined = _joined(name, with_images)
                check_arrays(kept | {name: joined})
                kept[name] = joined
            except InputError:
                lost[name] = None
        kept.pop(NAMES, None)
        return kept, tuple(lost)

    def as_dict(self) -> dict[str, Any]:
        """The result as plain numbers; more of them for several files or bytes left."""
        files = [file.as_dict() for file in self.files]
        result = files[0] | {"complete": self.is_complete}
        if len(files) > 1:
            result |= self._of_several(files)
        not_saved, other = [], []
        for left in self.left:
            span: dict[str, Any] = {"begin": left.begin, "end": left.end}
            model_hash = left.header.model_hash.hex() if left.header else None
            if left.reason:
                told = {"images": left.num_images, "model_hash": model_hash, "reason": left.reason}
                not_saved.append(span | told)
            else:
                other.append(span)
        return (
            result
            | ({"not_saved": not_saved} if not_saved else {})
            | ({"other_bytes": other} if other else {})
        )

    def _of_several(self, files: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Combined results; images lost or unplaced are listed with their file's number."""
        first, lost, unplaced = 0, [], []
        for number, file in enumerate(files):
            lost += [entry | {"file": number} for entry in file["lost"]]
            unplaced += [
                {"first": first + entry["first"], "last": first + entry["last"], "file": number}
                for entry in file["unplaced"]
            ]
            first += file["images"]
        spans = [(file.begin, file.begin + len(file.data)) for file in self.files]
        told = ("images", "images_before", "complete", "damaged")
        return {
            "images": self.num_recovered,
            "images_before": self.num_images,
            "lost": lost,
            "unplaced": unplaced,
            "names": "lost" if self.names_lost else "kept" if self.names else "none",
            "damaged": self.damaged,
            **({"arrays_lost": list(self.arrays_lost)} if self.arrays_lost else {}),
            "files": [
                {"begin": begin, "end": end} | {key: file[key] for key in told}
                for (begin, end), file in zip(spans, files, strict=True)
            ],
            "renamed": _spans(self.renamed),
        }

    def write_to(self, stream: BinaryIO) -> ContainerSizes:
        """Write a file of the recovered images."""
        writer = ContainerWriter(stream, self.header)
        for file in self.files:
            for group in file.groups():
                writer.add(group)
        return writer.finish(self.names, self.arrays)


def _joined(name: str, files: Sequence[Salvage]) -> Any:
    """Join one array over all files; `InputError` if they are not alike."""
    arrays = [file.arrays[name] for file in files if name in file.arrays]
    by_image = {name in file.by_image for file in files}
    if len(arrays) == len(files):
        if by_image == {True} and len(set(map(_form, arrays))) == 1:
            if isinstance(arrays[0], tuple):
                return tuple(entry for array in arrays for entry in array)
            return np.concatenate(arrays)
        if by_image == {False} and len(set(map(_content, arrays))) == 1:
            return arrays[0]
    raise InputError(f"not all files have an array {name!r} of the same kind")


def _form(array: Any) -> Any:
    """What arrays must share to be joined: type and shape of an entry."""
    return None if isinstance(array, tuple) else (array.dtype, array.shape[1:])


def _content(array: Any) -> Any:
    return array if isinstance(array, tuple) else (array.dtype, array.shape, array.tobytes())


def _spans(numbers: Iterable[int]) -> list[dict[str, int]]:
    """First and last of each run of consecutive numbers, which ascend."""
    spans: list[dict[str, int]] = []
    for number in numbers:
        if spans and spans[-1]["last"] + 1 == number:
            spans[-1]["last"] = number
        else:
            spans.append({"first": number, "last": number})
    return spans
