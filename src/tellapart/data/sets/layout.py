"""Deciding which folders are classes and which are splits, by their names alone.

Nothing here touches a disk: folders of a disk and of a tar archive are read by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tellapart.data.images.split_names import split_named, splits_of_siblings
from tellapart.errors import DataError

Parts = tuple[str, ...]

_REMEDY = "DATA/train/CLASS/image.jpg and DATA/test/CLASS/image.jpg, or a .csv with path and label"
# Names of a folder between a split and its classes that mean nothing.
PLAIN_NAMES = frozenset(
    {
        *("data", "image", "images", "img", "imgs", "photos", "pictures"),
        *("图片", "图像", "照片", "数据", "圖片", "圖像", "画像", "写真", "データ"),
    }
)
_NUM_NAMED = 5


@dataclass
class Branch:
    """A folder: how many images lie directly in it, and the folders below.

    Args:
        num_images: directly in it.
        below: the folders in it, by name.
    """

    num_images: int = 0
    below: dict[str, Branch] = field(default_factory=dict)

    def reach(self, parts: Parts) -> Branch:
        """Return the folder at ``parts`` below this one, creating it if needed."""
        branch = self
        for name in parts:
            branch = branch.below.setdefault(name, Branch())
        return branch

    @property
    def holds_images(self) -> bool:
        """Whether the folder has an image in it or below it."""
        return self.num_images > 0 or any(child.holds_images for child in self.below.values())

    @property
    def filled(self) -> dict[str, Branch]:
        """The sub-folders with images, in alphabetical order."""
        return {
            name: self.below[name] for name in sorted(self.below) if self.below[name].holds_images
        }


@dataclass(frozen=True)
class Layout:
    """The meaning of a data set's folders.

    Args:
        splits: the folders whose sub-folders are classes, with the split of each; the data set's
            own folder alone, with None, where no splits are given.
        split_folders: the folders of the first level that stand for a split.
    """

    splits: Mapping[Parts, str | None]
    split_folders: frozenset[str] = frozenset()

    def home(self, parts: Parts) -> tuple[str, str | None] | str:
        """Class and split of the images in the folder at ``parts``; or why they have none."""
        for folder, split in self.splits.items():
            if parts[: len(folder)] == folder and len(parts) > len(folder):
                return parts[len(folder)], split
        if parts and self.split_folders and parts[0] not in self.split_folders:
            return "lies beside the folders of the splits"
        return "lies in no folder of a class"


def find_layout(root: Branch, shown: str) -> Layout:
    """Return the meaning of the folders in ``root``.

    Folders that are called as splits are splits where they hold folders; where they hold images
    only, they are classes among others (``car``, ``bus``, ``train``) and never alone.

    Args:
        root: the data set's folder.
        shown: what an error calls it.

    Raises:
        DataError: where folders are named as splits and hold no classes, two mean the same split,
            none is for training, or the folders of the first level are no classes because all of
            them hold the same sub-folders.
    """
    filled = root.filled
    named = splits_of_siblings(filled)
    inner = {name: _unrepeated((name,), filled[name]) for name in named}
    only_splits = bool(named) and len(named) == len(filled)
    is_divided = any(
        split == "train"
        and inner[name][1].filled
        and (only_splits or not inner[name][1].num_images)
        for name, split in named.items()
    )
    if is_divided:
        _require_one_of_each(named, shown)
        splits = {inner[name][0]: split for name, split in named.items()}
        # Those without an image are no splits to learn from, but what they lack is worth a note.
        empty = splits_of_siblings(set(root.below) - set(filled))
        return Layout(splits | {(name,): split for name, split in empty.items()}, frozenset(named))
    if only_splits:
        raise _split_names_alone(named, inner, shown)
    _require_no_mirrors(filled, shown)
    return Layout({(): None})


def find_wrapper(root: Branch) -> Parts:
    """Return the way down to the one folder that holds all classes; empty where it is the root.

    An archive often unpacks into a folder of its own: ``DATA/flowers/rose`` and
    ``DATA/flowers/tulip``.
    """
    branch, way = root, []
    while len(branch.filled) == 1 and not _is_split_alone(branch):
        ((name, branch),) = branch.filled.items()
        way.append(name)
        if branch.num_images:  # the images of a class
            return ()
    return tuple(way) if branch.filled else ()


def class_folders(branch: Branch) -> list[str]:
    """The names of the folders with images in ``branch``."""
    return list(branch.filled)


def _is_split_alone(branch: Branch) -> bool:
    ((name, child),) = branch.filled.items()
    return split_named(name) is not None and len(child.filled) > 1


def _unrepeated(way: Parts, branch: Branch) -> tuple[Parts, Branch]:
    """The folder of a split's classes, below folders that only repeat its name."""
    while not branch.num_images and len(branch.filled) == 1:
        ((name, child),) = branch.filled.items()
        repeats = name == way[-1] or (
            split_named(name) is not None and split_named(name) == split_named(way[-1])
        )
        if not (repeats or (name.lower() in PLAIN_NAMES and child.filled)):
            break
        way, branch = (*way, name), child
    return way, branch


def _require_one_of_each(named: Mapping[str, str], shown: str) -> None:
    for split in dict.fromkeys(named.values()):
        twins = [name for name in named if named[name] == split]
        if len(twins) > 1:
            raise DataError(
                f"{shown}: {' and '.join(twins)} both mean the {split} split; keep one of them, or "
                "join them"
            )


def _split_names_alone(
    named: Mapping[str, str], inner: Mapping[str, tuple[Parts, Branch]], shown: str
) -> DataError:
    folders = _listed(list(named))
    if any(branch.filled for _, branch in inner.values()) and "train" not in named.values():
        return DataError(
            f"{shown}: {folders} {_are(named)} named as a split, and there is no image in a train "
            f"folder: make one beside it, or give {shown}/{next(iter(named))} itself, whose "
            "sub-folders are classes"
        )
    return DataError(
        f"{shown}: {folders} {_are(named)} named as a split, which is no class, and {_hold(named)} "
        f"no folder per class; sort the images into {_REMEDY}"
    )


def _require_no_mirrors(filled: Mapping[str, Branch], shown: str) -> None:
    """Refuse first folders that all hold the same folders: those below are the classes."""
    if len(filled) < 2 or any(branch.num_images for branch in filled.values()):
        return
    inner = [set(branch.filled) for branch in filled.values()]
    shared, every = set.intersection(*inner), set.union(*inner)
    folders = _listed(list(filled))
    if any(split_named(name) for name in shared):
        raise DataError(
            f"{shown}: {folders} hold folders that are named as splits "
            f"({_listed(sorted(shared))}); put the splits first: {_REMEDY}"
        )
    if len(shared) > 1 and 2 * len(shared) >= len(every):
        raise DataError(
            f"{shown}: {folders} hold no images themselves but folders of the same names "
            f"({_listed(sorted(shared))}), so it is not clear which are the classes; give one of "
            f"them, name them as splits, {_REMEDY}"
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + more


def _are(names: Mapping[str, str]) -> str:
    return "is" if len(names) == 1 else "are"


def _hold(names: Mapping[str, str]) -> str:
    return "holds" if len(names) == 1 else "hold"
