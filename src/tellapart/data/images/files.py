"""Finding the image files of a command line."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tellapart.data.images.foreign_files import what_it_holds
from tellapart.data.images.listing import ReadableFile
from tellapart.data.images.tar_member import TAR_SUFFIX, find_member, tar_members
from tellapart.data.images.walking import is_image_name, walk
from tellapart.errors import DataError
from tellapart.files import expand_home

_WANTED = "images are looked for in it and below it"


def find_images(arguments: Sequence[str]) -> list[ReadableFile]:
    """Find the image files that a person names on a command line, each once, in a fixed order.

    Args:
        arguments: files, taken whatever they are called; folders, searched to the bottom for
            names with an image's suffix, in alphabetical order and without hidden and system
            files; and patterns with ``*``, ``?``, ``[...]`` or ``**`` that no shell expanded,
            which stand for the files and folders that they match; and tar archives, for the
            images in them, or ``ARCHIVE.tar/MEMBER``, for one.

    Raises:
        DataError: where nothing is named, or one of the arguments matches no image.
    """
    if not arguments:
        raise DataError("no image is given; give files, folders or patterns such as 'scans/*.png'")
    found = dict.fromkeys(path for argument in arguments for path in _matches(argument))
    return list(found)


def _matches(argument: str) -> list[ReadableFile]:
    path = expand_home(argument)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:
        raise DataError(f"{argument}: cannot be looked up: {error.strerror}") from error
    if is_folder:
        files = list(walk(path))
        below: list[ReadableFile] = [file for file in files if is_image_name(file.name)]
        if not below:
            raise DataError(what_it_holds(path, [file.name for file in files], _WANTED))
        return below
    if is_there and path.suffix.lower() == TAR_SUFFIX:
        return _in_archive(path)
    if is_there:
        return [path]
    member = find_member(path)
    if member is not None:
        return [member]
    if not glob.has_magic(argument):
        raise DataError(f"{argument}: no such file or folder; check the path")
    # pathlib cannot expand an absolute pattern, so this is glob's.
    named = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    images = [image for name in named for image in _images_at(name)]
    if not images:
        raise DataError(f"{argument}: the pattern matches no image; check it")
    return images


def _images_at(path: Path) -> Iterable[ReadableFile]:
    """The image files at a path that a pattern matches."""
    if path.is_dir():
        return _below(path)
    return _in_archive(path) if path.suffix.lower() == TAR_SUFFIX else [path]


def _in_archive(archive: Path) -> list[ReadableFile]:
    members = tar_members(archive)
    images: list[ReadableFile] = [file for file in members if is_image_name(file.name)]
    if not images:
        raise DataError(what_it_holds(archive, [file.name for file in members], _WANTED))
    return images


def _below(folder: Path) -> Iterator[Path]:
    """The images in ``folder`` and below it, in alphabetical order, those of a folder first."""
    for path in walk(folder):
        if is_image_name(path.name):
            yield path
