"""Image files as a data set: decoded through the cache, divided into splits."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from tellapart.data.hold_out.division import divide
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.cache import CacheEntry, map_rows
from tellapart.data.images.digests import Progress, digest_files
from tellapart.data.images.listing import (
    CALIBRATION,
    SPLITS,
    ImageFile,
    LeftOut,
    Listing,
    ReadableFile,
    left_out_notes,
    missing_class_notes,
    shown_path,
)
from tellapart.data.images.near_duplicates import groups_of
from tellapart.data.preparation import Frame, Preparation
from tellapart.data.sets.form import form_notes, open_settled
from tellapart.errors import DataError
from tellapart.wording import plural


@dataclass(frozen=True)
class _HashedFile:
    """An image file, and the digest of its content."""

    file: ImageFile
    digest: bytes


def load_image_files(
    listing: Listing, frame: Frame, preparation: Preparation, progress: Progress | None = None
) -> DataSet:
    """Load the data set of the files that a folder or a table lists.

    Args:
        listing: the files.
        frame: the form of the images, as chosen by their headers.
        preparation: the requested form and splits.
        progress: called with (done, total) of images that are decoded.

    Raises:
        DataError: no readable image, a class without training images, or too few to divide.
    """
    digests, failed = digest_files(listing.root, [file.path for file in listing.files])
    images = [
        _HashedFile(file, digests[file.path]) for file in listing.files if file.path in digests
    ]
    contents = _in_expected_order(images, preparation)
    entry = open_settled(contents, frame, preparation, progress)
    frame = entry.frame
    failed |= {
        path: entry.unreadable[digest]
        for path, digest in digests.items()
        if digest in entry.unreadable
    }
    images = [image for image in images if image.file.path not in failed]
    if not images:
        path, reason = next(iter(failed.items()))
        raise DataError(f"{listing.root}: none of its images can be read; {path}: {reason}")
    _require_no_split_lost(listing, images, failed, preparation)
    unreadable = [
        LeftOut(path, "unreadable", reason)
        for path, reason in sorted(failed.items(), key=lambda item: Path(item[0]))
    ]
    left_out = (*unreadable, *listing.left_out)
    groups = _groups_by_content(entry)
    divided, split_notes = _divided(images, groups, preparation)
    class_names = preparation.class_names or _class_names(divided)
    _require_known_classes(listing, divided, class_names)
    splits = _image_sets(divided, class_names, entry)
    is_deep = any(fact.peak is not None for fact in entry.facts.values())
    files = {name: tuple(p.file.path for p in part) for name, part in divided.items()}
    in_splits = [ImageFile(p.file.path, p.file.class_name, s) for s in divided for p in divided[s]]
    return DataSet(
        name=listing.name,
        splits=splits,
        fingerprint=_fingerprint(divided, class_names, frame),
        provenance=f"image files in {listing.root.resolve()}",
        notes=(
            *listing.notes,
            *form_notes(entry, preparation, contents, listing.root),
            *_group_notes(listing, images, preparation),
            *split_notes,
            *_lost_classes(listing, images),
            *missing_class_notes(in_splits, class_names),
            *left_out_notes(left_out, listing.root),
        ),
        fit=frame.fit,
        white_level=frame.white_level if is_deep else 0,
        cache_problem=entry.problem,
        files=files,
        left_out=left_out,
        near_groups=_near_groups(divided, groups),
        groups=_names_of_groups(listing, divided),
        columns={split: _columns(part) for split, part in divided.items()},
        root=listing.root,
    )


def _require_no_split_lost(
    listing: Listing,
    images: Sequence[_HashedFile],
    failed: Mapping[ReadableFile, str],
    preparation: Preparation,
) -> None:
    """Refuse data of which a wanted split is given and none of its images can be read.

    Another split would take its place without a word: one held out of train.
    """
    readable = {image.file.split for image in images}
    for split in (preparation.undivided,) if preparation.undivided else SPLITS:
        lost = [file.path for file in listing.files if file.split == split]
        if lost and split not in readable:
            number = "its one image" if len(lost) == 1 else f"its {len(lost):,} images"
            raise DataError(
                f"{listing.root}: {split} is given and none of {number} can be read; "
                f"{shown_path(lost[0], listing.root)}: {failed[lost[0]]}"
            )


def _lost_classes(listing: Listing, images: Sequence[_HashedFile]) -> Iterator[str]:
    """A line for every class that is left out because none of its images can be read."""
    readable = {image.file.class_name for image in images}
    counts = Counter(file.class_name for file in listing.files)
    for name in sorted(counts.keys() - readable):
        number = "its one image" if counts[name] == 1 else f"its {counts[name]:,} images"
        yield f"class {name!r} is left out: none of {number} can be read"


def _in_expected_order(
    images: Sequence[_HashedFile], preparation: Preparation
) -> dict[bytes, ReadableFile]:
    """One file for each content, in the order of the splits as far as known before decoding.

    If every file is readable and there are no near duplicates, this is the final order, and the
    decoded pixels need not be rearranged.
    """
    contents = {image.digest: image.file.path for image in images}
    if not contents:
        return contents
    try:
        divided, _ = _divided(
            images, {content: number for number, content in enumerate(contents)}, preparation
        )
    except DataError:  # raised again once it is known which files are images
        return contents
    return {p.digest: contents[p.digest] for part in divided.values() for p in part}


def _groups_by_content(entry: CacheEntry) -> dict[bytes, int]:
    """Return the number of each content's group of near duplicates."""
    numbered = groups_of(entry.near, len(entry.numbers)).tolist()
    return {content: numbered[number] for content, number in entry.numbers.items()}


def _divided(
    images: Sequence[_HashedFile], groups: Mapping[bytes, int], preparation: Preparation
) -> tuple[dict[str, list[_HashedFile]], tuple[str, ...]]:
    """The images of each split, given or held out of train, and notes about the division.

    Args:
        images: in the order of the listing.
        groups: a number for each content, equal for near duplicates.
        preparation: the fractions to hold out, the seed, and whether near duplicates stay together.
    """
    given = images[0].file.split is not None
    if not given and preparation.undivided:
        return {preparation.undivided: list(images)}, ()
    divided: dict[str, list[_HashedFile]] = {name: [] for name in (*SPLITS, CALIBRATION)}
    for image in images:
        divided[image.file.split or "train"].append(image)
    train = divided["train"]
    notes: tuple[str, ...] = ()
    if train:
        names = sorted({image.file.class_name for image in train})
        numbers = {name: label for label, name in enumerate(names)}
        division = divide(
            torch.tensor([numbers[image.file.class_name] for image in train]),
            names,
            torch.tensor([groups[image.digest] for image in train]),
            [name for name, part in divided.items() if part],
            preparation,
            _numbered_groups(train),
        )
        notes = division.notes
        for name, indices in division.indices.items():
            divided[name] = [train[index] for index in indices.tolist()]
    return {name: part for name, part in divided.items() if part}, notes


def _numbered_groups(images: Sequence[_HashedFile]) -> torch.Tensor | None:
    """A number for each image, equal for those of one named group; None without such groups."""
    names = [image.file.group for image in images]
    if not any(names):
        return None
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return torch.tensor(
        [numbers[name] if name else len(numbers) + place for place, name in enumerate(names)]
    )


def _names_of_groups(
    listing: Listing, divided: Mapping[str, Sequence[_HashedFile]]
) -> dict[str, tuple[str, ...]]:
    """The name of each image's group, by split; empty where the files have no groups."""
    if not listing.grouped_by:
        return {}
    return {split: tuple(image.file.group for image in part) for split, part in divided.items()}


def _columns(images: Sequence[_HashedFile]) -> dict[str, tuple[str, ...]]:
    """What else a table has about each image, by column; empty where there is no table."""
    names = images[0].file.columns
    return {name: tuple(image.file.columns[name] for image in images) for name in names}


def _group_notes(
    listing: Listing, images: Sequence[_HashedFile], preparation: Preparation
) -> Iterator[str]:
    """A line about the groups of images: how many there are, and what they are for."""
    if not listing.grouped_by or preparation.undivided:
        return
    grouped = [image.file.group for image in images if image.file.group]
    counted = f"{plural(len(grouped), 'image')} in {plural(len(set(grouped)), 'group')}"
    kept = "stay in the splits that are given" if listing.is_divided else "are kept together"
    yield f"{counted} {kept} (groups by {listing.grouped_by})"


def _class_names(divided: Mapping[str, Sequence[_HashedFile]]) -> tuple[str, ...]:
    """The classes of the training images, sorted."""
    part = divided.get("train") or next(iter(divided.values()))
    return tuple(sorted({image.file.class_name for image in part}))


def _require_known_classes(
    listing: Listing, divided: Mapping[str, Sequence[_HashedFile]], class_names: Sequence[str]
) -> None:
    for split, part in divided.items():
        unknown = sorted({p.file.class_name for p in part} - set(class_names))
        if unknown:
            further_down = f"; {listing.one_class_remedy}" if listing.one_class_remedy else ""
            raise DataError(
                f"{listing.root}: {split} has images of {', '.join(map(repr, unknown[:5]))}, "
                f"the classes learned are {', '.join(map(repr, class_names[:5]))}; "
                f"train must have images of every class that is tested{further_down}"
            )


def _image_sets(
    divided: Mapping[str, Sequence[_HashedFile]], class_names: Sequence[str], entry: CacheEntry
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


def _near_groups(
    divided: Mapping[str, Sequence[_HashedFile]], groups: Mapping[bytes, int]
) -> dict[str, torch.Tensor]:
    """The number of each image's group of near duplicates, by split."""
    return {
        split: torch.tensor([groups[p.digest] for p in part]) for split, part in divided.items()
    }


def _fingerprint(
    divided: Mapping[str, Sequence[_HashedFile]], class_names: Sequence[str], frame: Frame
) -> str:
    """SHA-256 of class names and form, then per split of each image's content and class."""
    index = {name: label.to_bytes(4, "big") for label, name in enumerate(class_names)}
    head = {"class_names": list(class_names), "frame": frame.key()}
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for split, part in divided.items():
        digest.update(f"{split}:{len(part)};".encode())
        for image in part:
            digest.update(image.digest + index[image.file.class_name])
    return digest.hexdigest()
