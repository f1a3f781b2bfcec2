"""Picture files as a data set: form chosen, decoded through the cache, divided into splits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median_low

import numpy as np
import torch
from PIL import Image

from tellapart.data.hold_out import divide
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.cache import CacheEntry, map_rows, open_entry
from tellapart.data.images.decoding import FORMATS, quiet_pillow, upright_size
from tellapart.data.images.digests import Progress, digest_files
from tellapart.data.images.listing import (
    SPLITS,
    ImageFile,
    LeftOut,
    Listing,
    left_out_notes,
    missing_class_notes,
    shown_path,
)
from tellapart.data.images.near_duplicates import groups_of
from tellapart.data.preparation import Frame, Preparation
from tellapart.errors import DataError

_NUM_SAMPLED = 1000
_NATIVE_SIDE = 128
_SIDES = (128, 96, 64, 48, 32)
_GREY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"})


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
        frame: the form that they are given.
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
    entry = open_entry(_in_expected_order(pictures, preparation), frame, progress)
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
    looks = _looks(entry)
    divided, split_notes = _divided(pictures, looks, preparation)
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
            *_frame_notes(frame, preparation),
            *split_notes,
            *missing_class_notes(in_splits, class_names),
            *left_out_notes(left_out, listing.root),
        ),
        fit=frame.fit,
        files=files,
        left_out=left_out,
        near_groups=_near_groups(divided, looks),
    )


def choose_frame(preparation: Preparation, find_shape: Callable[[], tuple[int, int, int]]) -> Frame:
    """The form that is asked for, and where nothing is, what ``find_shape`` says."""
    channels, height, width = preparation.channels, preparation.height, preparation.width
    if not (channels and height and width):
        own = find_shape()
        channels, height, width = channels or own[0], height or own[1], width or own[2]
    return Frame(channels, height, width, preparation.fit)


def own_shape(listing: Listing) -> tuple[int, int, int]:
    """Channels, height and width that fit these files.

    Where all pictures have one size of at most 128 pixels a side, that one. Else a square, its side
    the largest of 32, 48, 64, 96 and 128 that is not above the median of the pictures' shorter
    sides. Grey where every picture is grey by its mode, else colour. Looks at the headers of up to
    1,000 files, spread over the list.

    Raises:
        DataError: where none of the files looked at is a picture.
    """
    headers = _sampled_headers(listing.files)
    if not headers:
        raise DataError(
            f"{listing.root}: none of the pictures looked at can be read, not even "
            f"{shown_path(listing.files[0].path, listing.root)}; check that they are pictures"
        )
    sizes = {size for size, _ in headers}
    width, height = next(iter(sizes))
    if len(sizes) > 1 or max(width, height) > _NATIVE_SIDE:
        typical = median_low([min(size) for size, _ in headers])
        width = height = next((side for side in _SIDES if side <= typical), _SIDES[-1])
    return (1 if all(mode in _GREY_MODES for _, mode in headers) else 3), height, width


def _sampled_headers(files: Sequence[ImageFile]) -> list[tuple[tuple[int, int], str]]:
    """Size, upright, and mode of files spread over the list, without decoding one."""
    step = max(1, len(files) // _NUM_SAMPLED)
    headers = []
    with quiet_pillow():
        for file in files[::step]:
            try:
                with Image.open(file.path, formats=FORMATS) as image:
                    headers.append((upright_size(image), image.mode))
            # Pillow raises about ten kinds; the file will be decoded, and refused, later.
            except Exception:
                continue
    return headers


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
    """A number for each content; near duplicates share one."""
    groups = groups_of(entry.near, len(entry.numbers)).tolist()
    return {content: groups[number] for content, number in entry.numbers.items()}


def _divided(
    pictures: Sequence[_Picture], looks: Mapping[bytes, int], preparation: Preparation
) -> tuple[dict[str, list[_Picture]], tuple[str, ...]]:
    """The pictures of each split, given or held out of train, and what was held out.

    Args:
        pictures: in the order of the listing.
        looks: a number for each content, equal for near duplicates.
        preparation: the fractions to hold out, the seed, and whether near duplicates stay together.
    """
    given = pictures[0].file.split is not None
    if not given and preparation.undivided:
        return {preparation.undivided: list(pictures)}, ()
    divided: dict[str, list[_Picture]] = {name: [] for name in SPLITS}
    for picture in pictures:
        divided[picture.file.split or "train"].append(picture)
    train = divided["train"]
    notes: tuple[str, ...] = ()
    if train:
        names = sorted({picture.file.class_name for picture in train})
        numbers = {name: label for label, name in enumerate(names)}
        division = divide(
            torch.tensor([numbers[picture.file.class_name] for picture in train]),
            names,
            torch.tensor([looks[picture.digest] for picture in train]),
            [name for name in SPLITS if divided[name]],
            preparation,
        )
        notes = division.notes
        for name, indices in division.indices.items():
            divided[name] = [train[index] for index in indices.tolist()]
    return {name: part for name, part in divided.items() if part}, notes


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


def _near_groups(
    divided: Mapping[str, Sequence[_Picture]], looks: Mapping[bytes, int]
) -> dict[str, torch.Tensor]:
    """What near duplicates share, a number for each picture of each split."""
    return {split: torch.tensor([looks[p.digest] for p in part]) for split, part in divided.items()}


def _frame_notes(frame: Frame, preparation: Preparation) -> list[str]:
    chosen = not (preparation.height and preparation.width)
    how = "chosen by the pictures; data.size sets it" if chosen else "as asked"
    return [f"pictures are made {frame.to_text()} ({how})"]


def _fingerprint(
    divided: Mapping[str, Sequence[_Picture]], class_names: Sequence[str], frame: Frame
) -> str:
    """SHA-256 of class names and form, then per split of each picture's content and class."""
    index = {name: label.to_bytes(4, "big") for label, name in enumerate(class_names)}
    head = {"class_names": list(class_names), "frame": asdict(frame)}
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for split, part in divided.items():
        digest.update(f"{split}:{len(part)};".encode())
        for picture in part:
            digest.update(picture.digest + index[picture.file.class_name])
    return digest.hexdigest()
