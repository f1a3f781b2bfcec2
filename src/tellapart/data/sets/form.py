"""The form of a set's images: as requested, or chosen by the images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median_low
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from tellapart.data.images.cache import CacheEntry, open_entry
from tellapart.data.images.colours import AboveWhiteLevelError, white_level_for
from tellapart.data.images.decoding import ImageFacts, decode
from tellapart.data.images.digests import Progress
from tellapart.data.images.listing import ImageFile, Listing, ReadableFile, path_text, shown_path
from tellapart.data.images.opening import is_deep, open_image, quiet_pillow, upright_size
from tellapart.data.preparation import WHITE_LEVELS, Frame, Preparation
from tellapart.errors import DataError

_NUM_SAMPLED, _NUM_MEASURED = 1000, 100
# Files stored as colour that are decoded to see whether their pixels are grey, as long as all are.
_NUM_DECODED = 200
# Of these the largest value is the first guess of how many bits are used.
_NUM_PEAKS = 8
_NATIVE_SIDE = 128
_SIDES = (128, 96, 64, 48, 32)
_GREY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"})
_SMALL = Frame(1, 32, 32)
# How many images are decoded to see what they show, and in which form; 0 is each one's own white.
_NUM_SHOWN, _MIDDLE = 60, Frame(3, 64, 64, "crop", white_level=0)

_T = TypeVar("_T")


class _Header(NamedTuple):
    """The header of an image file: width and height upright, and Pillow's mode."""

    path: ReadableFile
    size: tuple[int, int]
    mode: str


def choose_frame(preparation: Preparation, find_shape: Callable[[], tuple[int, int, int]]) -> Frame:
    """Return the requested form, with values of ``find_shape`` where none is requested."""
    channels, height, width = preparation.channels, preparation.height, preparation.width
    if not (channels and height and width):
        own = find_shape()
        channels, height, width = channels or own[0], height or own[1], width or own[2]
    white_level = preparation.white_level or WHITE_LEVELS[-1]
    return Frame(channels, height, width, preparation.fit, white_level)


def own_shape(listing: Listing) -> tuple[int, int, int]:
    """Return channels, height and width that suit these files.

    Where all images have one size of at most 128 pixels a side, that one. Else a square, its side
    the largest of 32, 48, 64, 96 and 128 that is not above the median of the images' shorter
    sides. Grey where every image is grey, however it is stored, else colour. Looks at the headers
    of up to 1,000 files and the pixels of up to 200 stored as colour, spread over the list;
    `open_settled` sees all of them.

    Raises:
        DataError: where none of the files looked at is an image.
    """
    headers = _sampled_headers(listing.files)
    if not headers:
        raise DataError(
            f"{listing.root}: none of the images looked at can be read; "
            f"{_why_unreadable(listing.files[0].path)}"
        )
    sizes = {header.size for header in headers}
    width, height = next(iter(sizes))
    if len(sizes) > 1 or max(width, height) > _NATIVE_SIDE:
        typical = median_low([min(header.size) for header in headers])
        width = height = next((side for side in _SIDES if side <= typical), _SIDES[-1])
    stored_as_colour = [header.path for header in headers if header.mode not in _GREY_MODES]
    return (3 if _any_has_colour(stored_as_colour) else 1), height, width


def typical_side(listing: Listing) -> int:
    """Return the median of the images' shorter sides in pixels, by some headers; 0 without any."""
    sides = [min(header.size) for header in _sampled_headers(listing.files, _NUM_MEASURED)]
    return median_low(sides) if sides else 0


def decoded_sample(listing: Listing) -> torch.Tensor:
    """Return a few images, spread over the files, uint8 (images, 3, 64, 64); none is an error.

    Of each its middle is taken, so that no border is filled in.
    """
    pixels = []
    with quiet_pillow():
        for file in _spread(listing.files, _NUM_SHOWN):
            try:
                pixels.append(decode(file.path, _MIDDLE).pixels)
            except DataError:  # to be reported when all are decoded
                continue
    if not pixels:
        return torch.zeros(0, 3, _MIDDLE.height, _MIDDLE.width, dtype=torch.uint8)
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def open_settled(
    contents: Mapping[bytes, ReadableFile],
    frame: Frame,
    preparation: Preparation,
    progress: Progress | None,
) -> CacheEntry:
    """Return the decoded images; values that depend on all of them are settled here.

    That is the white level of images with more than 8 bits, and whether images of which a sample
    was grey are all so. Images are decoded twice only if the sample was unlike the rest.

    Args:
        contents: a file for each SHA-256, in the order in which they are best read.
        frame: the form, as it was chosen by headers.
        preparation: what was asked for, and is not to be chosen.
        progress: is told of images decoded.
    """
    if not preparation.white_level:
        some = [contents[digest] for digest in _spread(sorted(contents), _NUM_PEAKS)]
        frame = replace(frame, white_level=_white_level(_facts_of(some)))
    entry = open_entry(contents, frame, progress)
    settled = _settled(entry, preparation)
    while settled != entry.frame:
        entry = open_entry(contents, settled, progress)
        settled = _settled(entry, preparation)
    return entry


def form_notes(
    entry: CacheEntry, preparation: Preparation, paths: Mapping[bytes, ReadableFile], root: Path
) -> list[str]:
    """Return a line for each fact about the form that a person should know.

    Args:
        entry: the decoded images.
        preparation: what was asked for.
        paths: a file for each content of the entry.
        root: the folder that paths are shown from.
    """
    frame = entry.frame
    chosen = not (preparation.height and preparation.width)
    how = "chosen by the images; data.size sets it" if chosen else "by data.size"
    notes = [f"images are made {frame.to_text()} ({how})"]
    facts = [(shown_path(paths[key], root), fact) for key, fact in entry.facts.items()]
    facts.sort(key=lambda item: item[0])
    peaks = [(fact.peak, name) for name, fact in facts if fact.peak is not None]
    if peaks:
        peak, name = max(peaks)
        notes.append(
            f"{len(peaks):,} images have more than 8 bits: {frame.white_level} is white "
            f"({'as asked' if preparation.white_level else 'for all of them'}; the largest value "
            f"is {peak}, in {name})"
        )
        best = white_level_for(peak)
        if preparation.white_level and best < frame.white_level:
            notes.append(
                f"these images would fill {best}: they are darker than those that "
                f"{frame.white_level} was chosen for"
            )
    animated = [name for name, fact in facts if fact.has_more_frames]
    if animated:
        have = "file has" if len(animated) == 1 else "files have"
        notes.append(
            f"{len(animated):,} {have} more than one frame; the first is used ({animated[0]})"
        )
    return [*notes, *([entry.problem] if entry.problem else [])]


def _settled(entry: CacheEntry, preparation: Preparation) -> Frame:
    frame, facts = entry.frame, entry.facts.values()
    if not preparation.channels and any(fact.has_colour for fact in facts):
        frame = replace(frame, channels=3)
    if not preparation.white_level:
        frame = replace(frame, white_level=_white_level(facts))
    return frame


def _white_level(facts: Iterable[ImageFacts]) -> int:
    peaks = [fact.peak for fact in facts if fact.peak is not None]
    return white_level_for(max(peaks)) if peaks else WHITE_LEVELS[-1]


def _facts_of(paths: Sequence[ReadableFile]) -> list[ImageFacts]:
    """The facts of images with more than 8 bits, by decoding them; headers exclude the others."""
    facts = []
    with quiet_pillow():
        for path in paths:
            try:
                with open_image(path) as opened:
                    if not is_deep(opened.image):
                        continue
                facts.append(decode(path, _SMALL).facts)
            except AboveWhiteLevelError as error:
                facts.append(ImageFacts(peak=error.peak))
            except DataError:  # to be reported when all are decoded
                continue
    return facts


def _any_has_colour(paths: Sequence[ReadableFile]) -> bool:
    """Whether one of the files, of which some are decoded, has colour in its pixels."""
    with quiet_pillow():
        for path in _spread(paths, _NUM_DECODED):
            try:
                if decode(path, _SMALL).facts.has_colour:
                    return True
            except DataError:  # to be reported when all are decoded
                continue
    return False


def _sampled_headers(files: Sequence[ImageFile], most: int = _NUM_SAMPLED) -> list[_Header]:
    """Of files spread over the list, without decoding one."""
    headers = []
    with quiet_pillow():
        for file in _spread(files, most):
            try:
                with open_image(file.path) as opened:
                    size = upright_size(opened.image)
                    headers.append(_Header(file.path, size, opened.image.mode))
            except DataError:  # to be reported when all are decoded
                continue
    return headers


def _why_unreadable(path: ReadableFile) -> str:
    """The reason why a file's header cannot be read, with its path and the remedy."""
    try:
        with quiet_pillow(), open_image(path):
            return f"{path_text(path)}: check that it is an image"
    except DataError as error:
        return str(error)


def _spread(items: Sequence[_T], most: int) -> Sequence[_T]:
    """Items evenly spread over the list, at most about twice the given number."""
    return items[:: max(1, len(items) // most)]
