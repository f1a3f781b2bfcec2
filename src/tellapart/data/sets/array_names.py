"""The meaning of an archive's arrays by name: ``x_train`` is images, ``y_train`` their labels.

Upper and lower case are alike, and ``train_images``, ``X_dev``, ``valLabels`` or ``ytest`` are
understood as well; ``images`` and ``labels`` alone are train.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.images.listing import SPLITS
from tellapart.data.images.split_names import split_named
from tellapart.errors import DataError

_KINDS = {
    **dict.fromkeys(("x", "image", "images", "imgs", "pictures", "data"), "images"),
    **dict.fromkeys(("y", "label", "labels", "target", "targets"), "labels"),
}
_CLASS_NAMES = ("class_names", "classnames", "label_names")
_USUAL = {"images": "x", "labels": "y"}
_NUM_NAMED = 10
# The usual names, about which no note is given.
_KNOWN = re.compile(r"[xy]_(train|val|valid|test)|(train|val|test)_(images|labels)")


@dataclass(frozen=True)
class Roles:
    """The split and kind of each array of an archive, by its name.

    Args:
        pairs: of each split, the names of its images and of its labels.
        class_names: the array that names the classes; empty where there is none.
        unread: the arrays that are nothing of it.
    """

    pairs: Mapping[str, tuple[str, str]]
    class_names: str
    unread: tuple[str, ...]

    def notes(self) -> tuple[str, ...]:
        """Return notes on arrays that were read under an unusual name, and on arrays not read."""
        lines = [
            f"{images} and {labels} are read as {split}"
            for split, (images, labels) in self.pairs.items()
            if not (_KNOWN.fullmatch(images) and _KNOWN.fullmatch(labels))
        ]
        if self.unread:
            lines.append(f"arrays that are not read: {', '.join(self.unread)}")
        return tuple(lines)


def roles_of(path: Path, names: Iterable[str]) -> Roles:
    """Return the split and kind of each array.

    Args:
        path: of the archive.
        names: of its arrays.

    Raises:
        DataError: where train is missing, images have no labels or labels no images, or two arrays
            come into question for one purpose.
    """
    found: dict[tuple[str, str], list[str]] = {}
    named, unread = [], []
    for name in names:
        role = _role(name)
        if role:
            found.setdefault(role, []).append(name)
        elif name.lower() in _CLASS_NAMES:
            named.append(name)
        else:
            unread.append(name)
    for (split, kind), several in [*found.items(), (("", "class names"), named)]:
        if len(several) > 1:
            raise DataError(
                f"{path}: {' and '.join(several)} could both be the {kind} of {split or 'all'}; "
                "keep one of them"
            )
    for split in SPLITS:
        _require_pair(path, split, found, unread)
    if ("train", "images") not in found:
        listed = [*(name for several in found.values() for name in several), *named, *unread]
        more = f" and {len(listed) - _NUM_NAMED} more" if len(listed) > _NUM_NAMED else ""
        raise DataError(
            f"{path}: has no x_train and y_train (or train_images and train_labels); it has: "
            f"{', '.join(listed[:_NUM_NAMED]) + more or 'nothing'}; save them under these names: "
            "np.savez(path, x_train=..., y_train=...)"
        )
    pairs = {
        split: (found[split, "images"][0], found[split, "labels"][0])
        for split in SPLITS
        if (split, "images") in found
    }
    return Roles(pairs, named[0] if named else "", tuple(unread))


def _role(name: str) -> tuple[str, str] | None:
    """Split and kind of an array; None where its name means neither."""
    text = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    glued = re.fullmatch(r"([xy])([a-z]+)", text)
    if glued and split_named(glued[2]):
        text = f"{glued[1]}_{glued[2]}"
    kinds, splits = [], []
    for word in re.split(r"[\W_]+", text):
        split = split_named(word)
        if word in _KINDS:
            kinds.append(_KINDS[word])
        elif split:
            splits.append(split)
        else:
            return None
    if len(kinds) != 1 or len(splits) > 1:
        return None
    return (splits[0] if splits else "train"), kinds[0]


def _require_pair(
    path: Path, split: str, found: Mapping[tuple[str, str], list[str]], unread: Sequence[str]
) -> None:
    ignored = f" (not read, by their names: {', '.join(unread[:_NUM_NAMED])})" if unread else ""
    for kind, other in (("images", "labels"), ("labels", "images")):
        if (split, kind) in found and (split, other) not in found:
            (name,) = found[split, kind]
            raise DataError(
                f"{path}: {name} holds {kind} of {split}, and no {other} belong to it{ignored}; "
                f"add {_USUAL[other]}_{split}, or leave {name} out"
            )
