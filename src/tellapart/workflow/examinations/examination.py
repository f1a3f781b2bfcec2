"""The outcome of an examination, and its files: a page and the figures beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tellapart.errors import RunError
from tellapart.files import make_folder, write_whole


class Figures(Protocol):
    """What an examination measured."""

    def to_json(self) -> Mapping[str, Any]:
        """Return plain lists, dicts, strings and finite numbers."""
        ...


@dataclass(frozen=True)
class TextTable:
    """A table for the terminal, in plain text.

    Args:
        title: what it is about.
        heads: the heads of the columns; the first column holds names, the others figures.
        rows: a cell for each head.
        lines: what to print below, each (name, text).
    """

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    lines: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Examination:
    """The outcome of one examination.

    Args:
        name: its key in the JSON, and the name of its files.
        figures: what was measured.
        table: the same for the terminal.
        page: a self-contained page of HTML.
    """

    name: str
    figures: Figures
    table: TextTable
    page: str


def write_examination(folder: Path, examination: Examination) -> Path:
    """Write ``NAME.html``, then ``NAME.json``, into a folder; return the path of the page.

    Raises:
        RunError: files that cannot be written.
    """
    make_folder(folder)
    page = folder / f"{examination.name}.html"
    content = examination.figures.to_json()
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(page, examination.page)
    write_whole(page.with_suffix(".json"), text)
    return page


def write_examinations(
    folder: Path, examinations: Sequence[Examination]
) -> tuple[Mapping[str, Path], str | None]:
    """Write each examination; return the pages by name, and the error that ended it or None."""
    pages: dict[str, Path] = {}
    for examination in examinations:
        try:
            pages[examination.name] = write_examination(folder, examination)
        except RunError as error:
            return pages, f"the page of --{examination.name} is not written: {error}"
    return pages, None
