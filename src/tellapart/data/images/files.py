"""Single pictures: finding their files, and reading one as a tensor."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from tellapart.data.images.foreign_files import what_it_holds
from tellapart.data.images.walking import is_image_name, walk
from tellapart.errors import DataError
from tellapart.files import expand_home


def find_images(arguments: Sequence[str]) -> list[Path]:
    """The picture files that a person names on a command line, each once, in a fixed order.

    Args:
        arguments: files, taken whatever they are called; folders, searched to the bottom for
            names with a picture's suffix, in alphabetical order and without hidden and system
            files; and patterns with ``*``, ``?``, ``[...]`` or ``**`` that no shell expanded,
            which stand for the files and folders that they match.

    Raises:
        DataError: where nothing is named, or one of the arguments matches no picture.
    """
    if not arguments:
        raise DataError(
            "no picture is named; give files, folders or patterns such as 'scans/*.png'"
        )
    found = dict.fromkeys(path for argument in arguments for path in _matches(argument))
    return list(found)


def _matches(argument: str) -> list[Path]:
    path = expand_home(argument)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:
        raise DataError(f"{argument}: cannot be looked up: {error.strerror}") from error
    if is_folder:
        files = list(walk(path))
        images = [file for file in files if is_image_name(file.name)]
        if not images:
            raise DataError(what_it_holds(path, [file.name for file in files]))
        return images
    if is_there:
        return [path]
    if not glob.has_magic(argument):
        raise DataError(f"{argument}: no such file or folder; check the path")
    # pathlib cannot expand an absolute pattern, so this is glob's.
    named = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    pictures = [
        picture for name in named for picture in (_below(name) if name.is_dir() else [name])
    ]
    if not pictures:
        raise DataError(f"{argument}: the pattern matches no picture; check it")
    return pictures


def _below(folder: Path) -> Iterator[Path]:
    """The pictures in ``folder`` and below it, in alphabetical order, those of a folder first."""
    for path in walk(folder):
        if is_image_name(path.name):
            yield path
