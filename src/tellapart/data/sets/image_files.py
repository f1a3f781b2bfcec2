"""Image files as a data set: decoded through the cache, divided into splits."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from tellapart.data.hold_out import stratified_groups
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.cache import CacheEntry, map_rows
from tellapart.data.images.digests import Progress, digest_files
from tellapart.data.images.listing import (
    SPLITS,
    ImageFile,
    LeftOut,
    Listing,
    left_out_notes,
    missing_class_notes,
)
from tellapart.data.images.near_duplicates import groups_of
from tellapart.data.preparation import Frame, Preparation
from tellapart.data.sets.form import form_notes, open_settled
from tellapart.errors import DataError


@dataclass(frozen=True)
class _Picture:
    """A file whose content is known to be a picture."""

    file: ImageFile
    digest: bytes


def load_image_files(
    listing: Listing, frame: Frame, preparation: Preparation, progress: Progress | None = None
) -> DataSet:
    """The data set of the files that a folder or a table lists.

    Args:
        listing: the files.
        frame: the form that they are given, as it was chosen by headers.
        preparation: what was asked of that form, and is asked of the splits.
        progress: is told of pictures decoded, where they are not in the cache.

    Raises:
        DataError: where no picture can be read, a class has none to learn from, or too few to be
            divided.
    """
    digests, failed = digest_files(listing.root, [file.path for file in listing.files])
    pictures = [
        _Picture(file, digests[file.path]) for file in listing.files if file.path in digests
    ]
    contents = _in_expected_order(pictures, preparation)
    entry = open_settled(contents, frame, preparation, progress)
    frame = entry.frame
    failed |= {
        path: entry.unreadable[digest]
        for path, digest in digests.items()
        if digest in entry.unreadable
    }
    pictures = [picture for picture in pictures if picture.file.path not in failed]
    if not pictures:
        path, reason = next(iter(failed.items()))
        raise DataError(f"{listing.root}: none of its pictures can be read; {path}: {reason}")
    unreadable = [LeftOut(path, "unreadable", reason) for path, reason in sorted(failed.items())]
    left_out = (*unreadable, *listing.left_out)
    divided, split_notes = _divided(pictures, _looks(entry), preparation)
    class_names = preparation.class_names or _class_names(divided)
    _require_known_classes(listing, divided, class_names)
    splits = _image_sets(divided, class_names, entry)
    files = {name: tuple(p.file.path for p in part) for name, part in divided.items()}
    in_splits = [ImageFile(p.file.path, p.file.class_name, s) for s in divided for p in divided[s]]
    return DataSet(
        name=listing.name,
        splits=splits,
        fingerprint=_fingerprint(divided, class_names, frame),
        provenance=f"picture files in {listing.root.resolve()}",
        notes=(
            *listing.notes,
            *form_notes(entry, preparation, contents, listing.root),
            *split_notes,
            *missing_class_notes(in_splits, class_names),
            *left_out_notes(left_out, listing.root),
        ),
        fit=frame.fit,
        white_level=frame.white_level,
        cache_problem=entry.problem,
        files=files,
        left_out=left_out,
        shared=_shared(divided, entry) if listing.is_divided else {},
    )


def _in_expected_order(pictures: Sequence[_Picture], preparation: Preparation) -> dict[bytes, Path]:
    """A file for each content, in the order of the splits as far as it is known before decoding.

    Where every file is a picture and no two look alike it is the order at last, and what is decoded
    is not to be rearranged.
    """
    contents = {picture.digest: picture.file.path for picture in pictures}
    if not contents:
        return contents
    try:
        divided, _ = _divided(
            pictures, {content: number for number, content in enumerate(contents)}, preparation
        )
    except DataError:  # to be said when it is known what is a picture
        return contents
    return {p.digest: contents[p.digest] for part in divided.values() for p in part}


def _looks(entry: CacheEntry) -> dict[bytes, int]:
    """A number for each content; look-alikes share one."""
    groups = groups_of(entry.near, len(entry.numbers)).tolist()
    return {content: groups[number] for content, number in entry.numbers.items()}


def _divided(
    pictures: Sequence[_Picture], looks: Mapping[bytes, int], preparation: Preparation
) -> tuple[dict[str, list[_Picture]], list[str]]:
    """The pictures of each split, given or made, and what was made of them.

    Args:
        pictures: in the order of the listing.
        looks: a number for each content; those of one number stay on one side.
        preparation: the shares to hold out, and the seed.
    """
    divided: dict[str, list[_Picture]] = {name: [] for name in SPLITS}
    given = pictures[0].file.split is not None
    if not given and preparation.undivided:
        return {preparation.undivided: list(pictures)}, []
    for picture in pictures:
        divided[picture.file.split or "train"].append(picture)
    notes = []
    fractions = {"test": preparation.test_fraction, "validation": preparation.validation_fraction}
    left = 1.0
    for name, fraction in fractions.items():
        if divided[name] or not fraction:
            continue
        # Each share is of all pictures, also where some of them are already gone.
        divided["train"], divided[name] = _hold_out(
            divided["train"], looks, min(fraction / left, 0.9), preparation.seed
        )
        left -= fraction
        notes.append(
            f"no {name} split was given: {fraction:.0%} of each class is held out, look-alikes "
            f"together, by data.split_seed {preparation.seed}"
        )
    return {name: part for name, part in divided.items() if part}, notes


def _hold_out(
    pictures: Sequence[_Picture], looks: Mapping[bytes, int], fraction: float, seed: int
) -> tuple[list[_Picture], list[_Picture]]:
    """Some of each class; near duplicates stay on one side, so that none is learned by heart."""
    names = sorted({picture.file.class_name for picture in pictures})
    labels = torch.tensor([names.index(picture.file.class_name) for picture in pictures])
    groups = np.array([looks[picture.digest] for picture in pictures])
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    group = torch.from_numpy(first[inverse])
    counts = Counter(labels[group == torch.arange(len(group))].tolist())
    for label, name in enumerate(names):
        if counts[label] < 2:
            raise DataError(
                f"class {name!r} has {counts[label]} different picture left to divide, and needs "
                "2: add pictures, leave the class out, or give the splits as folders"
            )
    generator = torch.Generator().manual_seed(seed)
    kept, held_out = stratified_groups(labels, group, fraction, generator)
    return [pictures[i] for i in kept.tolist()], [pictures[i] for i in held_out.tolist()]


def _class_names(divided: Mapping[str, Sequence[_Picture]]) -> tuple[str, ...]:
    """Of the pictures that are learned from, sorted."""
    part = divided.get("train") or next(iter(divided.values()))
    return tuple(sorted({picture.file.class_name for picture in part}))


def _require_known_classes(
    listing: Listing, divided: Mapping[str, Sequence[_Picture]], class_names: Sequence[str]
) -> None:
    for split, part in divided.items():
        unknown = sorted({p.file.class_name for p in part} - set(class_names))
        if unknown:
            raise DataError(
                f"{listing.root}: {split} has pictures of {', '.join(map(repr, unknown[:5]))}, "
                f"the classes learned are {', '.join(map(repr, class_names[:5]))}; "
                "train must have pictures of every class that is tested"
            )


def _image_sets(
    divided: Mapping[str, Sequence[_Picture]], class_names: Sequence[str], entry: CacheEntry
) -> dict[str, ImageSet]:
    index = {name: label for label, name in enumerate(class_names)}
    order = [entry.numbers[p.digest] for part in divided.values() for p in part]
    images = map_rows(entry, order)
    ends = np.cumsum([0, *(len(part) for part in divided.values())])
    return {
        split: ImageSet(
            images=images[start:end],
            labels=torch.tensor([index[p.file.class_name] for p in divided[split]]),
            class_names=tuple(class_names),
            mapped=True,
        )
        for split, (start, end) in zip(divided, pairwise(ends.tolist()), strict=True)
    }


def _shared(
    divided: Mapping[str, Sequence[_Picture]], entry: CacheEntry
) -> dict[tuple[str, str], int]:
    """How many pictures of a split look like some of another one."""
    looks = _looks(entry)
    by_split = {split: [looks[p.digest] for p in part] for split, part in divided.items()}
    pairs = [("test", "train"), ("validation", "train"), ("test", "validation")]
    return {
        (first, second): int(np.isin(by_split[first], by_split[second]).sum())
        for first, second in pairs
        if first in by_split and second in by_split
    }


def _fingerprint(
    divided: Mapping[str, Sequence[_Picture]], class_names: Sequence[str], frame: Frame
) -> str:
    """SHA-256 of class names and form, then per split of each picture's content and class."""
    index = {name: label.to_bytes(4, "big") for label, name in enumerate(class_names)}
    head = {"class_names": list(class_names), "frame": frame.key()}
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for split, part in divided.items():
        digest.update(f"{split}:{len(part)};".encode())
        for picture in part:
            digest.update(picture.digest + index[picture.file.class_name])
    return digest.hexdigest()
