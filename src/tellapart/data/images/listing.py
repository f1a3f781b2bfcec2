"""Lists of image files with their classes and splits, before any of them is opened."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from tellapart.wording import listed

SPLITS = ("train", "validation", "test")
CALIBRATION = "calibration"
"""A split that is made, or given by a table, such as the one that a run writes."""

Kind = Literal[
    "unreadable",
    "not an image by its name",
    "system file",
    "without a class",
    "name not UTF-8",
    "own run",
    "unreadable folder",
    "link back up",
]
"""The sorts of reasons for which something is left out."""

_NUM_NAMED = 3


class FileStatus(Protocol):
    """The part of a file's status by which a change is noticed."""

    @property
    def st_size(self) -> int:
        """The size in bytes."""

    @property
    def st_mtime_ns(self) -> int:
        """The time of the last change, in nanoseconds."""


class ReadableFile(Protocol):
    """A file that can be read where it lies: a `pathlib.Path`, or a member of an archive.

    ``os.fspath`` and ``str`` give the path under which it is shown and written down.
    """

    @property
    def name(self) -> str:
        """The last part of its path."""

    def open(self, mode: Literal["rb"], buffering: int = -1) -> BinaryIO:
        """Open it for reading."""

    def stat(self) -> FileStatus:
        """Its size and the time of its last change."""

    def is_file(self) -> bool:
        """Whether it is there."""

    def __fspath__(self) -> str: ...
    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class LeftOut:
    """A file that is not part of the data set, and why.

    Args:
        path: of the file, or of a system's own folder.
        kind: the sort of reason.
        reason: in words, about this file.
    """

    path: ReadableFile
    kind: Kind
    reason: str


@dataclass(frozen=True)
class ImageFile:
    """One image of a data set.

    Args:
        path: of its file.
        class_name: its class.
        split: None if the set is not divided.
        group: the name of the group with which it stays in one split; empty if it is in none.
        columns: what else a table has about it, by column; two images do not differ by that.
    """

    path: ReadableFile
    class_name: str
    split: str | None
    group: str = ""
    columns: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Listing:
    """The image files of a data set.

    Args:
        name: of the data set.
        root: the folder that paths are shown from.
        files: in a fixed order; either all have a split or none has.
        left_out: what else was found there.
        notes: what a person should know, a line each.
        one_class_remedy: what to do where all files are of one class; empty where nothing in
            particular.
        grouped_by: what names the files' groups, in words; empty where there are no groups.
    """

    name: str
    root: Path
    files: tuple[ImageFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    one_class_remedy: str = ""
    grouped_by: str = ""

    @property
    def is_divided(self) -> bool:
        """Whether the files come with their splits."""
        return self.files[0].split is not None

    def train_counts(self) -> dict[str, int]:
        """How many files of each class are for training, where splits are given; else all."""
        return Counter(file.class_name for file in self.files if file.split in (None, "train"))


def left_out_notes(left_out: Sequence[LeftOut], root: Path) -> tuple[str, ...]:
    """Return a line for every kind of file that was left out: how many, the first few, and why."""
    lines = []
    for kind, count in Counter(item.kind for item in left_out).items():
        items = [item for item in left_out if item.kind == kind]
        named = listed((_described(item, root) for item in items), _NUM_NAMED, "; ")
        lines.append(f"left out, {kind}: {count:,} ({named})")
    return tuple(lines)


def shown_path(file: ReadableFile, root: Path) -> str:
    """The path from ``root`` on, or whole where it lies elsewhere."""
    path = Path(os.fspath(file))
    return path_text(path.relative_to(root).as_posix() if path.is_relative_to(root) else path)


def path_text(path: str | ReadableFile) -> str:
    """The path as it can be printed and written: bytes that are not UTF-8 become ``\\xNN``."""
    return str(path) if is_text(path) else os.fsencode(path).decode("utf-8", "backslashreplace")


def is_text(name: str | ReadableFile) -> bool:
    """Whether a name can be written into a file of text.

    Where a system's names are bytes, Python keeps those that are not UTF-8 as halves of characters
    (PEP 383), which no file of text can hold.
    """
    try:
        str(name).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def missing_class_notes(files: Iterable[ImageFile], class_names: Sequence[str]) -> list[str]:
    """A line for every split that has no image of some class."""
    present: dict[str, set[str]] = {}
    for file in files:
        present.setdefault(file.split or "train", set()).add(file.class_name)
    return [
        f"{split} has no image of {', '.join(map(repr, missing))}"
        for split in SPLITS
        if split in present and (missing := [n for n in class_names if n not in present[split]])
    ]


def _described(item: LeftOut, root: Path) -> str:
    shown = shown_path(item.path, root)
    return f"{shown}: {item.reason}" if item.kind.startswith("unreadable") else shown
