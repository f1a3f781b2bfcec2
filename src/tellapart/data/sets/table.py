"""A table of image files: the columns ``path``, ``label``, perhaps ``split`` and ``group``."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tellapart.data.images.listing import (
    CALIBRATION,
    ImageFile,
    LeftOut,
    Listing,
    ReadableFile,
    path_text,
)
from tellapart.data.images.split_names import split_named
from tellapart.data.images.tar_member import TarMember, find_member
from tellapart.data.sets.source import DataSource, opened_files
from tellapart.data.sets.table_text import Row, columns_of, further_columns, read_rows
from tellapart.errors import DataError
from tellapart.files import expand_home

_COLUMNS = ("path", "label", "split", "group")
_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def list_table(table: Path) -> Listing:
    """List the images that ``table`` names, in the order of their paths.

    Paths count from the folder of the table, and may lead into a tar archive
    (``shards/0.tar/cat.jpg``). Images of the same ``group`` stay in one split; with an empty cell
    an image is in none. A file that does not exist is left out and listed; the same file
    twice with one label counts once. `tellapart.data.sets.table_text` describes how cells are read.

    Raises:
        DataError: where the table cannot be read, lacks a column or a row, or a row has too many
            cells, lacks a value, names an unknown split, or gives a file another label, split or
            group than an earlier one; with the line and the column.
    """
    header, rows = read_rows(table)
    columns, notes = columns_of(table, header, rows)
    further = further_columns(header, columns)
    files: dict[ReadableFile, tuple[int, ImageFile]] = {}
    left_out: list[LeftOut] = []
    repeated = 0
    for row in rows:
        file, is_there = _image_file(table, row, columns)
        file = replace(file, columns={name: row.cell(place) for name, place in further.items()})
        if not is_there:
            reason = f"no such file (line {row.line})"
            left_out.append(LeftOut(file.path, "unreadable", reason))
        elif file.path in files:
            _require_same(table, row.line, file, *files[file.path])
            repeated += 1
        else:
            files[file.path] = row.line, file
    if not files:
        raise DataError(
            f"{table}: none of the {len(left_out):,} files that it names exists, not even "
            f"{path_text(left_out[0].path)}; paths count from the folder of the table"
        )
    listed = sorted((file for _, file in files.values()), key=_place)
    if any(file.split for file in listed) and not any(file.split == "train" for file in listed):
        raise DataError(f"{table}: no image is in the train split; give some rows 'train'")
    if repeated:
        notes = (*notes, f"{repeated:,} rows repeat an earlier one and count once")
    grouped_by = "the column group" if any(file.group for file in listed) else ""
    if "group" in columns and not grouped_by:
        notes = (*notes, "the column group is empty: there are no groups")
    return Listing(
        table.stem, table.parent, tuple(listed), tuple(left_out), notes, grouped_by=grouped_by
    )


def table_text(rows: Sequence[tuple[str, ...]]) -> str:
    """Return the text of a table, which `list_table` reads back exactly.

    Args:
        rows: (path, label, split) of each image, or (path, label, split, group).
    """
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    # Blanks at the ends of a cell are its own only where it is quoted.
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(_COLUMNS[: max(map(len, rows), default=3)])
    for row in rows:
        writer = plain if all(cell == cell.strip() for cell in row) else quoted
        writer.writerow(row)
    return text.getvalue()


def _image_file(table: Path, row: Row, columns: dict[str, int]) -> tuple[ImageFile, bool]:
    """The image file that a row names, and whether it exists."""
    cells = {name: row.cell(place) for name, place in columns.items()}
    for name in ("path", "label"):
        if not cells[name] or "\0" in cells[name]:
            raise DataError(
                f"{table}: line {row.line} has no {name}; fill in column {columns[name] + 1}, or "
                "take the line out"
            )
    split = _split(cells.get("split", ""))
    if "split" in columns and split is None:
        raise DataError(
            f"{table}: line {row.line}, column {columns['split'] + 1}: split must be train, "
            f"validation, test or calibration, got {cells['split']!r}; or leave the column out, "
            "and splits are made"
        )
    where = f"{table}: line {row.line}, column {columns['path'] + 1}"
    path, is_there = _located(cells["path"], table.parent, where)
    # Systems write the same accented name in two ways; a class or a group has one.
    label, group = (
        unicodedata.normalize("NFC", cells.get(name, "")) for name in ("label", "group")
    )
    return ImageFile(path, label, split, group), is_there


def _split(cell: str) -> str | None:
    """The split that a cell means; None if none. A folder may be a class called calibration, a
    cell in this column cannot."""
    return CALIBRATION if cell.strip().lower() == CALIBRATION else split_named(cell)


def _located(cell: str, root: Path, where: str) -> tuple[ReadableFile, bool]:
    """The file that a cell names, as it stands or as other systems write it, and if it exists."""
    first = root / expand_home(cell)
    for path in _readings(cell, root, where):
        member = find_member(path)
        if member is not None:
            return member, True
        if _is_file(path):
            return path, True
    if os.name != "nt" and _WINDOWS_PATH.match(cell):
        raise DataError(
            f"{where}: {cell} is a path of a Windows computer; write paths that count from the "
            "folder of the table, such as images/cat/1.jpg"
        )
    return first, False


def _readings(cell: str, root: Path, where: str) -> Iterator[Path]:
    address = _ADDRESS.match(cell)
    if address and address[1].lower() == "file":
        yield root / urllib.parse.unquote(urllib.parse.urlsplit(cell).path)
        return
    if address:
        raise DataError(
            f"{where}: {cell} is an address; download the images and write the paths of the files"
        )
    yield root / expand_home(cell)
    if "\\" in cell:
        yield root / cell.replace("\\", "/")


def _require_same(
    table: Path, line: int, file: ImageFile, first_line: int, first: ImageFile
) -> None:
    if file != first:
        ours, theirs = map(_described, (file, first))
        raise DataError(
            f"{table}: line {line} gives {path_text(file.path)} as {ours}, line {first_line} as "
            f"{theirs}; an image has one label, one split and one group: keep one row"
        )


def _described(file: ImageFile) -> str:
    group = f", group {file.group!r}" if file.group else ""
    return f"{file.class_name!r} in {file.split or 'no split'}{group}"


def _place(file: ImageFile) -> tuple[Path, int]:
    """By path; members of an archive by their place in it, as the archive itself lists them."""
    if isinstance(file.path, TarMember):
        return file.path.archive, file.path.offset
    return Path(file.path), -1


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file system takes
        return False


TABLE = DataSource(
    name="a table of image files (.csv, .tsv)",
    is_mine=lambda path: path.suffix.lower() in _SUFFIXES and not path.is_dir(),
    open=lambda path: opened_files(list_table(path)),
)
