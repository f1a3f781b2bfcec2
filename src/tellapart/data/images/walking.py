"""Walking through all files below a folder, in a fixed order, and listing what is left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tellapart.data.images.listing import LeftOut
from tellapart.errors import DataError

IMAGE_SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""What a file in a folder must end with, in either case, to be taken for an image."""

# In lower case: Windows writes $RECYCLE.BIN and $Recycle.Bin.
_SYSTEM_NAMES = frozenset(
    {
        *("__macosx", "@eadir", "#recycle", "$recycle.bin", "recycler", "lost+found"),
        *("system volume information", "thumbs.db", "desktop.ini", "ehthumbs.db"),
    }
)
# The two files that every run has from its first moment.
_RUN_FILES = frozenset({"recipe.toml", "run.json"})


class Folder(NamedTuple):
    """A folder that was walked through, with its files and what the system put there, by name."""

    path: Path
    files: list[str]
    system: list[str]


class _Route(NamedTuple):
    """A folder still to be walked through, and the resolved paths of its parents."""

    path: Path
    places: tuple[str, ...]


def walk(folder: Path) -> Iterator[Path]:
    """Every file in ``folder`` and below it, in alphabetical order, those of a folder first.

    As `walk_folders`, file by file.
    """
    for found in walk_folders(folder):
        for name in found.files:
            yield found.path / name


def walk_folders(folder: Path, left_out: list[LeftOut] | None = None) -> Iterator[Folder]:
    """``folder`` and every folder below it, in alphabetical order, without system folders and runs.

    Links to folders are followed, by every route, except where one leads back up.

    Args:
        folder: where to begin.
        left_out: takes up the runs, the links that lead back up and the folders that cannot be
            searched.

    Raises:
        DataError: where ``folder`` cannot be searched; or, without ``left_out``, one below it.
    """
    waiting = [_Route(folder, (os.path.realpath(folder),))]
    passed: list[LeftOut] = [] if left_out is None else left_out
    while waiting:
        route = waiting.pop()
        try:
            with os.scandir(route.path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if left_out is None or route.path == folder:
                raise DataError(
                    f"{route.path}: cannot be searched: {error.strerror}; make it readable"
                ) from error
            passed.append(LeftOut(route.path, "unreadable folder", error.strerror or str(error)))
            continue
        folders = {entry.name for entry in listed if _is_folder(entry)}
        files = [entry.name for entry in listed if entry.name not in folders]
        if set(files) >= _RUN_FILES and route.path != folder:
            passed.append(LeftOut(route.path, "own run", "the folder of a run"))
            continue
        below = []
        for entry in listed:
            if entry.name in folders and not is_system_name(entry.name):
                place = _place(entry, route)
                if place is None:
                    passed.append(
                        LeftOut(Path(entry.path), "link back up", "leads back to a folder above it")
                    )
                else:
                    below.append(_Route(Path(entry.path), (*route.places, place)))
        waiting.extend(reversed(below))
        is_system = {name for name in files + sorted(folders) if is_system_name(name)}
        yield Folder(
            route.path, [name for name in files if name not in is_system], sorted(is_system)
        )


def is_image_name(name: str) -> bool:
    """Whether a file's name ends as those of images do."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_system_name(name: str) -> bool:
    """Whether a file or folder is hidden, or made by a system for itself."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link round in a circle
        return False


def _place(entry: os.DirEntry[str], route: _Route) -> str | None:
    """The resolved path of a folder; None for a link to a folder that contains it."""
    here = route.places[-1]
    if not entry.is_symlink():
        return os.path.join(here, entry.name)  # noqa: PTH118
    target = os.path.realpath(entry.path)
    leads_up = target in route.places or Path(here).is_relative_to(target)
    return None if leads_up else target


def is_folder(path: Path) -> bool:
    """Whether a folder exists; False if it cannot be accessed."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether a file exists; False if it cannot be accessed."""
    try:
        return path.is_file()
    except OSError:
        return False
