"""A folder of images: a sub-folder for each class, in splits or not.

::

    DATA/CLASS/...                       one folder per class
    DATA/train/CLASS/...                 and, as far as there are any,
    DATA/val|valid|validation/CLASS/...
    DATA/test/CLASS/...

Images may lie deeper down: the class is the first folder. `tellapart.data.sets.layout` has the
rules and `tellapart.data.images.split_names` the other names of splits.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from tellapart.data.images.foreign_files import what_it_holds
from tellapart.data.images.listing import (
    ImageFile,
    LeftOut,
    Listing,
    is_text,
    path_text,
    shown_path,
)
from tellapart.data.images.walking import Folder, is_image_name, walk_folders
from tellapart.data.sets.layout import (
    PLAIN_NAMES,
    Branch,
    Layout,
    class_folders,
    find_layout,
    find_wrapper,
)
from tellapart.data.sets.source import DataSource, opened_files
from tellapart.errors import DataError

_LAYOUT = "make one folder per class, DATA/CLASS/image.jpg, or give a .csv with path and label"
_NUM_NAMED = 5


def list_folder(folder: Path) -> Listing:
    """List the images below ``folder`` with the classes and splits of its sub-folders.

    Raises:
        DataError: where there is no sub-folder or no image, the folders mean no classes, a folder
            means the same split as another, ``folder`` cannot be searched, or a class has a name
            that is not UTF-8.
    """
    left_out: list[LeftOut] = []
    walked = list(walk_folders(folder, left_out))
    tree = _tree(folder, walked)
    layout = find_layout(tree, str(folder))
    files: list[ImageFile] = []
    for found in walked:
        home = layout.home(found.path.relative_to(folder).parts)
        for name in found.files:
            sorted_in = _sorted_in(found.path / name, folder, home)
            (files if isinstance(sorted_in, ImageFile) else left_out).append(sorted_in)  # type: ignore[arg-type]
        for name in found.system:
            reason = "a system's or hidden file or folder"
            left_out.append(LeftOut(found.path / name, "system file", reason))
    if not files:
        raise DataError(_nothing_found(folder, walked, left_out))
    if not any(file.split in ("train", None) for file in files):
        raise DataError(f"{folder}: no class of its train folder holds an image; {_LAYOUT}")
    return Listing(
        name=folder.resolve().name,
        root=folder,
        files=tuple(files),
        left_out=tuple(left_out),
        notes=tuple(_empty_classes(folder, tree, layout, left_out)),
        one_class_remedy=_further_down(folder, tree) or _if_no_class(files),
    )


def _tree(folder: Path, walked: Sequence[Folder]) -> Branch:
    tree = Branch()
    for found in walked:
        branch = tree.reach(found.path.relative_to(folder).parts)
        branch.num_images = sum(map(is_image_name, found.files))
    return tree


def _sorted_in(path: Path, folder: Path, home: tuple[str, str | None] | str) -> ImageFile | LeftOut:
    if not is_image_name(path.name):
        return LeftOut(path, "not an image by its name", f"ends in {path.suffix or 'nothing'}")
    if isinstance(home, str):
        return LeftOut(path, "without a class", home)
    class_name, split = home
    if not is_text(class_name):
        raise DataError(
            f"{folder}: the folder '{path_text(class_name)}' has a name that is not UTF-8, "
            "and a class takes its folder's name; rename the folder"
        )
    # A run lists its images in a table, and could not find this one again by what it can write.
    if not is_text(path.relative_to(folder)):
        return LeftOut(path, "name not UTF-8", "its name is not UTF-8; rename it")
    # Systems write the same accented name in two ways; a class has one.
    return ImageFile(path, unicodedata.normalize("NFC", class_name), split)


def _nothing_found(folder: Path, walked: Sequence[Folder], left_out: Sequence[LeftOut]) -> str:
    """The message about a folder without a labelled image, with the remedy."""
    names = [name for found in walked for name in found.files]
    num_images = sum(map(is_image_name, names))
    if num_images:
        return (
            f"{folder}: of its {num_images:,} images none lies in the folder of a class; {_LAYOUT}"
        )
    closed = [item for item in left_out if item.kind == "unreadable folder"]
    if closed:
        return (
            f"{folder}: no image in the folders that can be searched; "
            f"{path_text(closed[0].path)}: {closed[0].reason}: make it readable"
        )
    return what_it_holds(folder, names, _LAYOUT)


def _empty_classes(
    folder: Path, tree: Branch, layout: Layout, left_out: Sequence[LeftOut]
) -> Iterator[str]:
    """A line for every folder that could be a class but has no image."""
    passed = [Path(item.path) for item in left_out if item.kind in ("own run", "unreadable folder")]
    for parts in layout.splits:
        branch = tree.reach(parts)
        for name in sorted(set(branch.below) - set(branch.filled)):
            path = folder.joinpath(*parts, name)
            if not any(place.is_relative_to(path) for place in passed):
                yield f"{shown_path(path, folder)}/ holds no image"


def _further_down(folder: Path, tree: Branch) -> str:
    """The path to give instead if one folder holds all class folders."""
    way = find_wrapper(tree)
    if not way:
        return ""
    names = class_folders(tree.reach(way))
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    inside = folder.joinpath(*way)
    return (
        f"add images of another class; or, if {path_text(way[0])} is no class, give "
        f"{path_text(inside)}, which holds {', '.join(map(path_text, names[:_NUM_NAMED]))}{more}"
    )


def _if_no_class(files: Sequence[ImageFile]) -> str:
    """What to do where the one class is a folder like ``train/images``, which sorts nothing."""
    names = {file.class_name for file in files}
    if len(names) == 1 and names.pop().lower() in PLAIN_NAMES:
        return f"if that is no class, sort its images: {_LAYOUT}"
    return ""


IMAGE_FOLDER = DataSource(
    name="a folder of images by class",
    is_mine=Path.is_dir,
    open=lambda path: opened_files(list_folder(path)),
)
