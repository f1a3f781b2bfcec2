"""Corrected labels: a table that names images, the label each has, and the one it should have.

::

    split,index,given,suggested          images in arrays: number of the image in its split
    train,137,4,9
    split,path,given,suggested           image files: path from the data's folder on
    train,cat/12.png,cat,dog

The index counts from 0 in the split as the source has it, before any image is held out of it. The
path identifies a file by itself: its split may be left empty, and is not compared. A row whose
``suggested`` is empty or equals ``given`` changes nothing. Images are divided into splits by the
labels that they were given, so corrections leave every image in its split.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.image_set import Correction, DataSet
from tellapart.data.images.listing import SPLITS, ReadableFile, shown_path
from tellapart.data.images.split_names import split_named
from tellapart.data.sets.table_text import Row, read_rows
from tellapart.errors import DataError
from tellapart.files import expand_home
from tellapart.wording import did_you_mean, listed, plural

_REQUIRED = ("given", "suggested")
_COLUMNS = ("split", "index", "path", *_REQUIRED)
# Among more paths than this no similar one is looked for.
_FEW_PATHS = 20_000
_REMEDY = (
    "`tellapart data check DATA --labels` writes such a file: split, index or path, given, "
    "suggested"
)


@dataclass(frozen=True)
class Corrections:
    """The rows of a file of corrections.

    Args:
        file: where they were read, for messages.
        rows: in the order of the file.
    """

    file: Path
    rows: tuple[Correction, ...]

    def changes(self) -> frozenset[Correction]:
        """Return the rows that change a label."""
        return frozenset(row for row in self.rows if row.is_change)


def read_corrections(file: str | Path) -> Corrections:
    """Read a file of corrections, as ``data check --labels`` writes and spreadsheets save it.

    Raises:
        DataError: a file that cannot be read, or lacks a column, or a row that names no image, has
            no given label, an unknown split, or an index that is no whole number; with the line.
    """
    path = expand_home(file)
    header, rows = read_rows(path)
    names = [cell.strip().lower() for cell in header.cells]
    missing = [name for name in _REQUIRED if name not in names]
    if "path" not in names and not {"split", "index"} <= set(names):
        missing.insert(0, "path, or split and index")
    if missing:
        found = ", ".join(map(repr, header.cells)) or "nothing"
        raise DataError(
            f"{path}: its first line lacks the column {' and '.join(missing)}; it names {found}: "
            f"{_REMEDY}"
        )
    repeated = [name for name in _COLUMNS if names.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: line 1 names the column {repeated[0]} twice; keep one")
    places = {name: names.index(name) for name in _COLUMNS if name in names}
    return Corrections(path, tuple(_correction(path, row, places) for row in rows))


def corrections_text(rows: Sequence[Correction], *, by_path: bool) -> str:
    """Return the text of a file of corrections, which :func:`read_corrections` reads back.

    Args:
        rows: in the order in which they are written.
        by_path: whether images are named by their paths, or by split and index.
    """
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    # Blanks at the ends of a cell are its own only where it is quoted.
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(["split", "path" if by_path else "index", *_REQUIRED])
    for row in rows:
        cells = (row.split, row.path if by_path else str(row.index), row.given, row.suggested)
        writer = plain if all(cell == cell.strip() for cell in cells) else quoted
        writer.writerow(cells)
    return text.getvalue()


def correct_labels(data_set: DataSet, corrections: Corrections) -> DataSet:
    """Return the data set with corrected labels; images and splits stay the same.

    Its fingerprint is another one where a label changes: of the former one and the changes.

    Args:
        data_set: as it was loaded, before classes are selected.
        corrections: every row is checked, also one that changes nothing.

    Raises:
        DataError: a row about an image that is not there, with another given label than the image
            has, an unknown class, or an image that an earlier row has named; or a class of which
            no training image would be left. The message names file, line and remedy.
    """
    find = _Finder(data_set, corrections.file)
    names = data_set.class_names
    labels = {split: part.labels.clone() for split, part in data_set.splits.items()}
    lines: dict[tuple[str, int], int] = {}
    made: list[tuple[tuple[str, int], Correction]] = []
    for row in corrections.rows:
        where = f"{corrections.file}: line {row.line}"
        place = split, index = find(row)
        if place in lines:
            raise DataError(
                f"{where} names the image of line {lines[place]} again ({_described(row)}); keep "
                "one of the two"
            )
        lines[place] = row.line
        actual = names[int(data_set.split(split).labels[index])]
        if row.given != actual:
            raise DataError(
                f"{where}: the given label of {_described(row)} is {row.given!r} here and "
                f"{actual!r} in {data_set.name}: the data has changed, or was corrected already; "
                "take the line out, or run `tellapart data check DATA --labels` again"
            )
        if row.is_change:
            labels[split][index] = _class_index(row, names, where, data_set.name)
            made.append((place, row))
    if not made:
        return data_set
    splits = {
        split: replace(part, labels=labels[split].to(part.labels.device))
        for split, part in data_set.splits.items()
    }
    changes = tuple(_canonical(data_set, place, row) for place, row in made)
    corrected = replace(
        data_set,
        splits=splits,
        fingerprint=_fingerprint(data_set, changes),
        corrections=changes,
        notes=(*data_set.notes, _note(corrections.file, made)),
    )
    _require_no_class_lost(data_set, corrected, corrections.file)
    return corrected


def source_place(data_set: DataSet, split: str, index: int) -> tuple[str, int, str]:
    """Return by what a correction names an image: its split, index there, and path.

    Args:
        data_set: as it was loaded.
        split: the split that the image is in.
        index: its index there.

    Returns:
        For an image in arrays, split and index as the source has them, and an empty path; for a
        file its split and index as they are, and its path from the data's folder on.
    """
    files = data_set.files.get(split)
    if files is not None:
        return split, index, shown_path(files[index], data_set.root or Path())
    positions = data_set.positions.get(split)
    return (split, index, "") if positions is None else ("train", int(positions[index]), "")


def _correction(file: Path, row: Row, places: Mapping[str, int]) -> Correction:
    cells = {name: row.cell(place) for name, place in places.items()}
    where = f"{file}: line {row.line}"
    split, number, path = (cells.get(name, "") for name in ("split", "index", "path"))
    meant = split_named(split) if split else ""
    if meant is None or (split and meant not in SPLITS):
        raise DataError(f"{where}: the split must be {', '.join(SPLITS)}, got {split!r}")
    if number and not (number.isascii() and number.isdecimal()):
        raise DataError(
            f"{where}: the index must be a whole number from 0 on, got {number!r}; write the "
            "number that `data check` gave"
        )
    if not path and not (number and meant):
        raise DataError(
            f"{where} names no image: it needs a path, or a split and an index; fill them in, or "
            "take the line out"
        )
    # Systems write the same accented name in two ways; a class has one.
    given, suggested = (unicodedata.normalize("NFC", cells[name]) for name in _REQUIRED)
    if not given:
        raise DataError(
            f"{where} has no given label, by which it is seen whether it fits the data; fill it in"
        )
    index = int(number) if number else None
    return Correction(meant or "", index, path, given, suggested, row.line)


class _Finder:
    """Finds the images that rows name, each as (split, index) of the loaded data set."""

    def __init__(self, data_set: DataSet, file: Path) -> None:
        self._data_set, self._file = data_set, file
        self._by_path = dict(self._paths())
        self._by_position = {
            position: (split, index)
            for split, positions in data_set.positions.items()
            for index, position in enumerate(positions.tolist())
        }

    def __call__(self, row: Correction) -> tuple[str, int]:
        where = f"{self._file}: line {row.line}"
        if self._data_set.files:
            return self._file_place(row, where)
        return self._array_place(row, where)

    def _paths(self) -> Iterator[tuple[str, tuple[str, int]]]:
        for split, files in self._data_set.files.items():
            for index, file in enumerate(files):
                yield _absolute(file), (split, index)

    def _file_place(self, row: Correction, where: str) -> tuple[str, int]:
        name = self._data_set.name
        if not row.path:
            raise DataError(
                f"{where} has no path, and {name} holds files, which are named by their paths; "
                "fill in the column path, from the data's folder on"
            )
        root = self._data_set.root or Path()
        for path in (root / row.path, Path(row.path)):
            place = self._by_path.get(_absolute(path))
            if place is not None:
                return place
        known = (shown_path(f, root) for files in self._data_set.files.values() for f in files)
        hint = did_you_mean(row.path, known) if len(self._by_path) < _FEW_PATHS else ""
        raise DataError(
            f"{where}: {name} has no image {row.path!r}{hint or '; take the line out'}; paths "
            f"count from {root}"
        )

    def _array_place(self, row: Correction, where: str) -> tuple[str, int]:
        data_set = self._data_set
        if row.index is None or not row.split:
            raise DataError(
                f"{where} has no split and index, and {data_set.name} holds arrays, whose images "
                "are named by those; fill in the columns split and index"
            )
        cut = {split for split in data_set.positions if split != "train"}
        given = [split for split in data_set.splits if split not in cut]
        if row.split not in given:
            raise DataError(
                f"{where}: {data_set.name} has no split {row.split!r}; it has {', '.join(given)}: "
                "an index counts in a split that the data comes with"
            )
        is_cut = row.split == "train" and bool(self._by_position)
        count = len(self._by_position) if is_cut else len(data_set.split(row.split))
        if row.index >= count:
            raise DataError(
                f"{where}: {row.split} of {data_set.name} has {plural(count, 'image')}, 0 to "
                f"{count - 1}, got index {row.index}; take the line out"
            )
        return self._by_position[row.index] if is_cut else (row.split, row.index)


def _absolute(path: ReadableFile) -> str:
    # Links stay: an image is named as it was found, not by where it leads to.
    return os.path.abspath(os.fspath(path))  # noqa: PTH100


def _described(row: Correction) -> str:
    return row.path or f"{row.split}[{row.index}]"


def _class_index(row: Correction, names: Sequence[str], where: str, data: str) -> int:
    if row.suggested not in names:
        known = f"{data} has {listed(names, 20)}"
        hint = did_you_mean(row.suggested, names, otherwise=known)
        raise DataError(
            f"{where}: the suggested label {row.suggested!r} of {_described(row)} is no class of "
            f"{data}{hint}"
        )
    return names.index(row.suggested)


def _canonical(data_set: DataSet, place: tuple[str, int], row: Correction) -> Correction:
    """The row as :func:`source_place` names its image, however the file did."""
    split, index, path = source_place(data_set, *place)
    if path:
        return Correction("", None, path, row.given, row.suggested, row.line)
    return Correction(split, index, "", row.given, row.suggested, row.line)


def _fingerprint(data_set: DataSet, changes: Sequence[Correction]) -> str:
    """SHA-256 of the former fingerprint and the changes, in whatever order they were read."""
    rows = sorted((row.path, row.split, row.index or 0, row.suggested) for row in changes)
    content = {"data": data_set.fingerprint, "corrections": rows}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _note(file: Path, made: Sequence[tuple[tuple[str, int], Correction]]) -> str:
    counts = {
        split: sum(found == split for (found, _), _ in made)
        for split in dict.fromkeys(split for (split, _), _ in made)
    }
    where = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    return f"{plural(len(made), 'label')} corrected by {file} ({where})"


def _require_no_class_lost(before: DataSet, after: DataSet, file: Path) -> None:
    if "train" not in before.splits:
        return
    pairs = zip(
        before.split("train").class_counts(), after.split("train").class_counts(), strict=True
    )
    lost = [after.class_names[label] for label, (had, has) in enumerate(pairs) if had and not has]
    if lost:
        raise DataError(
            f"{file} leaves no training image of {', '.join(map(repr, lost))}: each class needs "
            "one; to take a class away, or to join two, move its images into another folder"
        )
