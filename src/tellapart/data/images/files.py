"""Single pictures: finding their files, and reading one as a tensor."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tellapart.errors import DataError
from tellapart.files import expand_home

IMAGE_SUFFIXES = (
    *(".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""What a file in a folder must end with, in either case, to be taken for a picture."""

_SYSTEM_NAMES = frozenset(
    {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini", "ehthumbs.db"}
)


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
        pictures = list(_below(path))
        if not pictures:
            suffixes = " ".join(IMAGE_SUFFIXES)
            raise DataError(f"{path}: no picture ({suffixes}) in this folder or below it")
        return pictures
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
        if is_image_name(path.name) and not is_system_name(path.name):
            yield path


def walk(folder: Path) -> Iterator[Path]:
    """Every file in ``folder`` and below it, in alphabetical order, those of a folder first.

    As `walk_folders`, file by file.
    """
    for parent, names in walk_folders(folder):
        for name in names:
            yield parent / name


def walk_folders(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """``folder`` and every folder below it, each with the names of its files in alphabetical order.

    Links to folders are followed, each folder once; a system's own folder is a name like a file's.

    Raises:
        DataError: where a folder cannot be searched.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be searched: {error.strerror}") from error

    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:  # a link that leads back up would go round for ever
            folders.clear()
            continue
        seen.add(place)
        # os.walk goes on with what is left in this very list, in its order.
        own = sorted(name for name in folders if is_system_name(name))
        folders[:] = sorted(set(folders) - set(own))
        yield Path(parent), sorted(names + own)


def is_image_name(name: str) -> bool:
    """Whether a file's name ends as those of pictures do."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_system_name(name: str) -> bool:
    """Whether a file or folder is hidden, or made by a system for itself."""
    return name.startswith(".") or name in _SYSTEM_NAMES
