"""Reading the text of a table as rows of cells, in the dialects of different programs.

Cells are separated by commas, semicolons, tabulators or upright strokes: by the one that is most
frequent in the header, or that a first line ``sep=;`` names. Text is UTF-8, or UTF-16 with a mark
at its beginning. Blanks around a cell are no part of it, unless the cell is quoted.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.data.images.split_names import split_named
from tellapart.errors import DataError
from tellapart.wording import listed

_MAX_BYTES = 2**30
_NUM_LOOKED_AT = 16
_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_SYNONYMS = {
    "path": (
        *("file", "file_name", "filename", "file_path", "filepath", "image", "image_file"),
        *("image_name", "image_path", "imagepath", "img", "img_path", "paths"),
    ),
    "label": ("category", "class", "class_name", "classname", "labels", "target"),
    "split": ("partition", "set", "subset"),
    "group": (),
}


class Row(NamedTuple):
    """A line of a table: its number, counted from 1, and its cells."""

    line: int
    cells: list[str]

    def cell(self, place: int) -> str:
        """The cell in a column; empty where the line is too short."""
        return self.cells[place] if place < len(self.cells) else ""


def read_rows(table: Path) -> tuple[Row, list[Row]]:
    """Return the header and the rows below it; empty lines are skipped.

    Raises:
        DataError: where the file cannot be read or decoded, quotes are not closed, there is no row,
            or one has more cells than the header.
    """
    lines = io.StringIO(_decoded(table), newline="").readlines()
    skipped, separator = 0, ""
    if lines and (match := _SEPARATOR_LINE.fullmatch(lines[0])):
        skipped, separator = 1, match[1]
        lines = lines[1:]
    separator = separator or max(_SEPARATORS, key=(lines[0] if lines else "").count)
    rows = []
    reader = csv.reader(iter(lines), delimiter=separator, strict=True, skipinitialspace=True)
    begun = 0
    try:
        for cells in reader:
            raw, begun = "".join(lines[begun : reader.line_num]), reader.line_num
            cleaned = [_cleaned(cell, raw) for cell in cells]
            if any(cleaned):
                rows.append(Row(reader.line_num + skipped, cleaned))
    except csv.Error as error:
        line = reader.line_num + skipped
        raise DataError(f"{table}: line {line}: {error}; mend the table") from None
    if not rows:
        return Row(1, []), []
    header, *rest = rows
    for row in rest:
        while len(row.cells) > len(header.cells) and not row.cells[-1]:
            row.cells.pop()
        if len(row.cells) > len(header.cells):
            raise DataError(
                f"{table}: line {row.line} has {len(row.cells)} cells and the first line names "
                f"{len(header.cells)} columns; put quotes around a cell with {separator!r} in it, "
                "or name the further columns"
            )
    return header, rest


def columns_of(
    table: Path, header: Row, rows: Sequence[Row]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the indices of the columns path, label, perhaps split and group, and notes.

    A column of another usual name is taken where only one comes into question.

    Raises:
        DataError: where one is missing, is there twice, or there is no row below the header.
    """
    named = [re.sub(r"[\W_]+", "_", cell.lower()).strip("_") for cell in header.cells]
    columns: dict[str, int] = {}
    notes = []
    for name, synonyms in _SYNONYMS.items():
        places = [place for place, cell in enumerate(named) if cell == name]
        if len(places) > 1:
            raise DataError(
                f"{table}: line {header.line} names the column {name} {len(places)} times (columns "
                f"{' and '.join(str(place + 1) for place in places)}); keep one"
            )
        others = [place for place, cell in enumerate(named) if cell in synonyms]
        if name == "split":
            others = [place for place in others if _holds_splits(rows, place)]
        if not places and len(others) > 1:
            both = " and ".join(repr(header.cells[place]) for place in others)
            raise DataError(
                f"{table}: line {header.line}: {both} could both be the {name}; call one of them "
                f"{name!r}"
            )
        if places or others:
            columns[name] = (places or others)[0]
        if others and not places:
            notes.append(f"the column {header.cells[others[0]]!r} of the table is read as {name}")
    if not {"path", "label"} <= columns.keys():
        raise DataError(
            f"{table}: its first line must name the columns path and label, and may name split and "
            f"group; it "
            f"names {', '.join(map(repr, header.cells)) or 'nothing'}: rename two of them, or put "
            "the line path,label above"
        )
    unused = further_columns(header, columns)
    if unused:
        notes.append(f"columns of the table that training does not use: {listed(unused)}")
    if not rows:
        raise DataError(f"{table}: has no row below its first line; add one per image")
    return columns, tuple(notes)


def further_columns(header: Row, columns: Mapping[str, int]) -> dict[str, int]:
    """Return the indices of the columns that are not among ``columns``, by name, the first of each.

    Spreadsheets call a column without a name ``Unnamed: 3``; it has none here either.
    """
    found: dict[str, int] = {}
    for place, cell in enumerate(header.cells):
        is_named = cell and not cell.lower().startswith("unnamed: ")
        if is_named and place not in columns.values():
            found.setdefault(cell, place)
    return found


def _decoded(table: Path) -> str:
    try:
        if table.stat().st_size > _MAX_BYTES:
            raise DataError(f"{table}: a table may have 1 GiB; split the data set")
        content = table.read_bytes()
    except OSError as error:
        raise DataError(f"{table}: cannot be read: {error.strerror}") from error
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not is_utf_16 and b"\0" in content[:_NUM_LOOKED_AT]:
        raise DataError(
            f"{table}: line 1: holds zero bytes, as UTF-16 without a mark at its beginning does; "
            "save the table as UTF-8"
        )
    try:
        # Spreadsheets put a mark before UTF-8; utf-8-sig takes it off again.
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{table}: line {line}: is not UTF-8 text (byte {content[error.start]:#04x}); save the "
            "table as UTF-8"
        ) from None


def _cleaned(cell: str, raw: str) -> str:
    """The cell without the blanks around it, unless they were quoted with it in the raw line."""
    stripped = cell.strip()
    if stripped == cell:
        return cell
    doubled = cell.replace('"', '""')
    return cell if f'"{doubled}"' in raw else stripped


def _holds_splits(rows: Sequence[Row], place: int) -> bool:
    return bool(rows) and all(split_named(row.cell(place)) for row in rows)
