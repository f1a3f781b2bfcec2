"""A table of pictures: a ``.csv`` with the columns ``path``, ``label`` and perhaps ``split``."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from tellapart.data.images.listing import ImageFile, LeftOut, Listing, ReadableFile
from tellapart.data.images.split_names import split_named
from tellapart.data.sets.source import DataSource, opened_files
from tellapart.errors import DataError

_COLUMNS = ("path", "label", "split")
_MAX_BYTES = 2**30


def list_table(table: Path) -> Listing:
    """The pictures that ``table`` names, in the order of their paths.

    Columns may stand in any order, beside others, and be separated by comma, semicolon or
    tabulator. Paths count from the folder of the table. A file that does not exist is left out and
    said so; the same file twice with one label counts once.

    Raises:
        DataError: where the table cannot be read, lacks a column or a row, or a row lacks a value,
            names an unknown split, or gives a file another label than an earlier one.
    """
    rows = _read(table)
    root = table.parent
    files: dict[ReadableFile, tuple[int, ImageFile]] = {}
    left_out: list[LeftOut] = []
    repeated = 0
    for line, row in rows:
        file = _image_file(table, line, row, root)
        if file.path in files:
            _require_same(table, line, file, *files[file.path])
            repeated += 1
        elif _is_file(file.path):
            files[file.path] = line, file
        else:
            left_out.append(LeftOut(file.path, "unreadable", f"no such file (line {line})"))
    if not files:
        raise DataError(
            f"{table}: none of the {len(left_out):,} files that it names exists, not even "
            f"{left_out[0].path}; paths count from the folder of the table"
        )
    listed = sorted((file for _, file in files.values()), key=lambda file: Path(file.path))
    if any(file.split for file in listed) and not any(file.split == "train" for file in listed):
        raise DataError(f"{table}: no picture is in the train split; give some rows 'train'")
    notes = (f"{repeated:,} rows repeat an earlier one and count once",) if repeated else ()
    return Listing(table.stem, root, tuple(listed), tuple(left_out), notes)


def table_text(rows: Sequence[tuple[str, str, str]]) -> str:
    """The text of a table of (path, label, split), which `list_table` reads back."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def _read(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Every row with its line, as a table from column to cell."""
    try:
        if table.stat().st_size > _MAX_BYTES:
            raise DataError(f"{table}: a table may have 1 GiB; split the data set")
        # Spreadsheets put a mark before UTF-8; utf-8-sig takes it off again.
        text = table.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{table}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{table}: is not UTF-8 text ({error}); save it as UTF-8") from None
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
    except csv.Error as error:
        raise DataError(f"{table}: line {reader.line_num}: {error}; mend the table") from None
    names = [cell.strip().lower() for cell in lines[0][1]] if lines else []
    if not {"path", "label"} <= set(names):
        raise DataError(
            f"{table}: its first line must name the columns path and label, and may name "
            f"split; it names {', '.join(names) or 'nothing'}"
        )
    rows = lines[1:]
    if not rows:
        raise DataError(f"{table}: has no row below its first line; add one per picture")
    return [(line, dict(zip(names, cells, strict=False))) for line, cells in rows]


def _image_file(table: Path, line: int, row: dict[str, str], root: Path) -> ImageFile:
    cells = {name: row.get(name, "").strip() for name in _COLUMNS}
    for name in ("path", "label"):
        if not cells[name] or "\0" in cells[name]:
            raise DataError(f"{table}: line {line} has no {name}; fill it in or take it out")
    split = split_named(cells["split"]) if cells["split"] else None
    if "split" in row and split is None:
        raise DataError(
            f"{table}: line {line}: split must be train, validation or test, "
            f"got {cells['split']!r}; or leave the column out, and splits are made"
        )
    label = unicodedata.normalize("NFC", cells["label"])
    return ImageFile(root / Path(cells["path"]), label, split)


def _require_same(
    table: Path, line: int, file: ImageFile, first_line: int, first: ImageFile
) -> None:
    if file != first:
        ours, theirs = (f"{f.class_name!r} in {f.split or 'no split'}" for f in (file, first))
        raise DataError(
            f"{table}: line {line} gives {file.path} as {ours}, line {first_line} as {theirs}; "
            "a picture has one label and one split: keep one row"
        )


def _is_file(path: ReadableFile) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system takes
        return False


TABLE = DataSource(
    name="a .csv table",
    is_mine=lambda path: path.suffix.lower() == ".csv",
    open=lambda path: opened_files(list_table(path)),
)
