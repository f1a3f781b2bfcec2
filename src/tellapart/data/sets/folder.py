"""A folder of pictures: a sub-folder for each class, in splits or not.

::

    DATA/CLASS/...                       one folder per class
    DATA/train/CLASS/...                 and, as far as there are any,
    DATA/val|valid|validation/CLASS/...
    DATA/test/CLASS/...

Pictures may lie deeper down: the class is the first folder. ``train`` is taken for a split where it
holds folders, and beside pictures of its own only where all folders beside it are splits too: among
vehicles it may be a class.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.images.files import (
    IMAGE_SUFFIXES,
    is_image_name,
    is_system_name,
    walk_folders,
)
from tellapart.data.images.listing import (
    ImageFile,
    LeftOut,
    Listing,
    is_text,
    path_text,
    shown_path,
    split_named,
)
from tellapart.data.sets.source import DataSource, opened_files
from tellapart.errors import DataError

_LAYOUT = "make one folder per class, DATA/CLASS/picture.jpg, or give a .csv with path and label"


def list_folder(folder: Path) -> Listing:
    """The pictures below ``folder`` with the classes and splits that its sub-folders say.

    Raises:
        DataError: where there is no sub-folder or no picture, a folder means the same split as
            another, cannot be searched, or is a class whose name is not UTF-8.
    """
    splits = _split_folders(folder)
    files: list[ImageFile] = []
    left_out: list[LeftOut] = []
    for place, names in walk_folders(folder):
        home = _home(place, folder, splits)
        for name in names:
            sorted_in = _sorted_in(place / name, folder, home)
            (files if isinstance(sorted_in, ImageFile) else left_out).append(sorted_in)  # type: ignore[arg-type]
    if not files:
        raise DataError(
            f"{folder}: no picture ({' '.join(IMAGE_SUFFIXES)}) in a folder of its class; {_LAYOUT}"
        )
    if splits and not any(file.split == "train" for file in files):
        raise DataError(f"{folder}: there is no picture in {folder / 'train'}; {_LAYOUT}")
    return Listing(
        name=folder.resolve().name,
        root=folder,
        files=tuple(files),
        left_out=tuple(left_out),
        notes=tuple(_empty_classes(folder, splits, files)),
    )


def _split_folders(folder: Path) -> dict[str, str]:
    """The split that each sub-folder stands for; none where the sub-folders are classes."""
    folders = _folders(folder)
    named = {path.name: split for path in folders if (split := split_named(path.name))}
    only_splits = len(named) == len(folders)
    is_divided = any(
        split == "train"
        and _folders(folder / name)
        and (only_splits or not _has_images(folder / name))
        for name, split in named.items()
    )
    if not is_divided:
        return {}
    for name, split in named.items():
        twins = [other for other in named if named[other] == split]
        if len(twins) > 1:
            raise DataError(
                f"{folder}: {' and '.join(twins)} both mean the {split} split; keep one, "
                f"not {name} beside another"
            )
    return named


def _folders(folder: Path) -> list[Path]:
    try:
        return [
            path for path in sorted(folder.iterdir())
            if path.is_dir() and not is_system_name(path.name)
        ]  # fmt: skip
    except OSError as error:
        raise DataError(f"{folder}: cannot be searched: {error.strerror}") from error


def _has_images(folder: Path) -> bool:
    return any(is_image_name(path.name) and path.is_file() for path in folder.iterdir())


@dataclass(frozen=True)
class _Home:
    """What it means to lie in a folder.

    Args:
        class_name: of the pictures there, as the folder is called.
        split: of the pictures there.
        why_none: why they have no class; empty where they have one.
        named_in_text: whether the way here from the data set's folder is UTF-8.
    """

    class_name: str = ""
    split: str | None = None
    why_none: str = ""
    named_in_text: bool = True


def _home(place: Path, folder: Path, splits: dict[str, str]) -> _Home:
    inside = place.relative_to(folder)
    parts = inside.parts
    split = splits.get(parts[0]) if parts else None
    if splits and split is None:
        return _Home(why_none="lies beside the folders of the splits")
    depth = 1 if splits else 0
    if len(parts) <= depth:
        return _Home(why_none="lies in no folder of a class")
    return _Home(parts[depth], split, named_in_text=is_text(inside))


def _sorted_in(path: Path, folder: Path, home: _Home) -> ImageFile | LeftOut:
    if is_system_name(path.name):
        return LeftOut(path, "system file", "a system's or hidden file")
    if not is_image_name(path.name):
        return LeftOut(path, "not a picture by its name", f"ends in {path.suffix or 'nothing'}")
    if home.why_none:
        return LeftOut(path, "without a class", home.why_none)
    if not is_text(home.class_name):
        raise DataError(
            f"{folder}: the folder '{path_text(home.class_name)}' has a name that is not UTF-8, "
            "and a class takes its folder's name; rename the folder"
        )
    # A run lists its pictures in a table, and could not find this one again by what it can write.
    if not (home.named_in_text and is_text(path.name)):
        return LeftOut(path, "name not UTF-8", "its name is not UTF-8; rename it")
    # Systems write the same accented name in two ways; a class has one.
    return ImageFile(path, unicodedata.normalize("NFC", home.class_name), home.split)


def _empty_classes(folder: Path, splits: dict[str, str], files: list[ImageFile]) -> Iterator[str]:
    for name in splits or [""]:
        place = folder / name
        filled = {file.class_name for file in files if file.split == splits.get(name)}
        for path in _folders(place):
            if unicodedata.normalize("NFC", path.name) not in filled and not (splits and not name):
                yield f"{shown_path(path, folder)}/ holds no picture"


IMAGE_FOLDER = DataSource(
    name="a folder of images by class",
    is_mine=Path.is_dir,
    open=lambda path: opened_files(list_folder(path)),
)
