"""The cache of decoded images: uint8 files that later runs map into memory.

An entry is keyed by what the files hold and by the form they are given, not by names, classes or
splits: a set that was moved, renamed or divided anew is not decoded again. Of a set that has grown
or shrunk, only what no entry holds is decoded.

::

    pictures/FORM-KEY/index.npz       digests of what was decoded, in order; pairs that look alike
    pictures/FORM-KEY/unreadable.json digests of what could not be, and why
    pictures/FORM-KEY/facts.json      digests of what was out of the ordinary, and in what
    pictures/FORM-KEY/pixels-ORDER.u8 one image after the other, in the order of the splits
    pictures/FORM-KEY/order-ORDER.npy which image each row is

Splits lie one behind the other, so each is a stretch of the mapping, and none is ever copied.

Where the cache cannot be written, an entry lies in a temporary folder until the process ends.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.cache_folder import cache_problem, scratch_folder, user_cache
from tellapart.data.images.bulk import decode_all
from tellapart.data.images.decoding import ImageFacts
from tellapart.data.images.digests import Progress
from tellapart.data.images.listing import ReadableFile
from tellapart.data.images.mapping import mapped_bytes
from tellapart.data.images.near_duplicates import groups_of, near_duplicates, pairs_of
from tellapart.data.preparation import Frame
from tellapart.errors import DataError, TellapartError
from tellapart.files import make_folder, write_whole

# Raised whenever the same file would give other pixels than before.
_FORMAT = 4
_ROWS_AT_A_TIME = 256

_Ints = NDArray[np.int64]
_Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class CacheEntry:
    """The decoded images of one form.

    Args:
        folder: of the entry.
        frame: the form.
        numbers: each readable content's number here, by its SHA-256.
        near: int64 (pairs, 2), the numbers of images that are near duplicates.
        unreadable: why a content is no image, by its SHA-256.
        facts: what else was seen of a content, by its SHA-256, where it is out of the ordinary.
        problem: why the entry could not be kept in the cache; empty where it was.
    """

    folder: Path
    frame: Frame
    numbers: Mapping[bytes, int]
    near: _Ints
    unreadable: Mapping[bytes, str]
    facts: Mapping[bytes, ImageFacts]
    problem: str = ""


def open_entry(
    contents: Mapping[bytes, ReadableFile], frame: Frame, progress: Progress | None = None
) -> CacheEntry:
    """Return the entry for these contents, decoding what is missing on all cores.

    Args:
        contents: a file for each SHA-256, in the order in which they are best read.
        frame: the form of the images.
        progress: is told of images decoded.

    Raises:
        DataError: where there is room for the pixels neither in the cache nor in the system's
            temporary folder.
    """
    name = f"{_form(frame)}-{_key(contents, frame)}"
    folder = user_cache() / "pictures" / name
    if (entry := _read(folder, frame)) is not None:
        return entry
    problem = ""
    try:
        _fill(folder, contents, frame, progress)
    except (OSError, TellapartError) as error:
        problem = cache_problem(error)
        folder = scratch_folder() / "pictures" / name
        if (entry := _read(folder, frame)) is not None:
            return replace(entry, problem=problem)
        _fill(folder, contents, frame, progress)
    if (entry := _read(folder, frame)) is None:
        raise DataError(f"{folder}: was written and cannot be read; remove it and try again")
    return replace(entry, problem=problem)


def map_rows(entry: CacheEntry, order: Sequence[int]) -> torch.Tensor:
    """Return the images of these numbers, (rows, channels, height, width), memory-mapped.

    The file is rewritten, without decoding anything, where it has another order.
    """
    wanted = np.asarray(order, np.int64)
    pixels = _pixels_path(entry.folder, wanted)
    frame = entry.frame
    if not pixels.exists():
        try:
            _rearrange(entry, wanted, pixels)
        except (OSError, TellapartError):  # a cache that can be read and not written
            pixels = scratch_folder() / f"{entry.folder.name}-{pixels.name}"
            _write_rows(entry, wanted, pixels)
    flat = mapped_bytes(pixels, len(wanted) * frame.num_bytes)
    return flat.view(len(wanted), frame.channels, frame.height, frame.width)


def _form(frame: Frame) -> str:
    """The part of a key that two entries must have in common to exchange pixels."""
    size = f"{frame.width}x{frame.height}x{frame.channels}"
    return f"{size}-{frame.fit}-{frame.white_level}-{_FORMAT}"


def _key(contents: Mapping[bytes, ReadableFile], frame: Frame) -> str:
    digest = hashlib.sha256(json.dumps([_FORMAT, frame.key()], sort_keys=True).encode())
    for content in sorted(contents):
        digest.update(content)
    return digest.hexdigest()[:32]


def _read(folder: Path, frame: Frame) -> CacheEntry | None:
    """Read the entry in ``folder``; None if it is missing or damaged."""
    try:
        # From memory: of a damaged archive NumPy leaves the file open.
        index = io.BytesIO((folder / "index.npz").read_bytes())
        with np.load(index, allow_pickle=False) as arrays:
            digests, near = arrays["digests"].tobytes(), arrays["near"]
        unreadable = json.loads((folder / "unreadable.json").read_text("utf-8"))
        facts = json.loads((folder / "facts.json").read_text("utf-8"))
        numbers = {digests[at : at + 32]: at // 32 for at in range(0, len(digests), 32)}
        if not _layouts(folder, frame):
            return None
        return CacheEntry(
            folder,
            frame,
            numbers,
            near,
            {bytes.fromhex(k): str(v) for k, v in unreadable.items()},
            {bytes.fromhex(k): ImageFacts(**v) for k, v in facts.items()},
        )
    except (OSError, ValueError, KeyError, AttributeError, EOFError, zipfile.BadZipFile, TypeError):
        return None


def _layouts(folder: Path, frame: Frame) -> list[tuple[Path, _Ints]]:
    """The complete pixel files, with the number of the image in each row."""
    found = []
    for order_file in folder.glob("order-*.npy"):
        order = np.load(order_file, allow_pickle=False)
        pixels = _pixels_path(folder, order)
        if pixels.exists() and pixels.stat().st_size == len(order) * frame.num_bytes:
            found.append((pixels, order))
    return found


def _pixels_path(folder: Path, order: _Ints) -> Path:
    return folder / f"pixels-{hashlib.sha256(order.tobytes()).hexdigest()[:16]}.u8"


def _fill(
    folder: Path, contents: Mapping[bytes, ReadableFile], frame: Frame, progress: Progress | None
) -> None:
    """Decodes everything into a temporary folder, which is renamed when it is complete."""
    make_folder(folder.parent)
    digests = list(contents)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with _created(aside / "pixels", len(contents), frame) as pixels:
            known, facts = _copy_from_other_entry(folder.parent, digests, frame, pixels)
            files = {row: path for row, path in enumerate(contents.values()) if row not in known}
            failures, seen = decode_all(files, frame, pixels, progress)
            kept = np.setdiff1d(np.arange(len(contents)), list(failures))
            near = _near_pairs(pixels, kept)
        # Numbers are rows less the holes that unreadable files have left.
        order = np.full(len(contents), -1)
        order[kept] = np.arange(len(kept))
        _write_order(aside, order)
        (aside / "pixels").replace(_pixels_path(aside, order))
        index = io.BytesIO()
        readable = np.frombuffer(b"".join(digests[row] for row in kept), np.uint8)
        np.savez(index, digests=readable, near=near)
        write_whole(aside / "index.npz", index.getvalue())
        reasons = {digests[row].hex(): reason for row, reason in failures.items()}
        write_whole(aside / "unreadable.json", json.dumps(reasons, ensure_ascii=False))
        facts |= {digests[row]: fact for row, fact in seen.items()}
        listed = {digest.hex(): fact.to_json() for digest, fact in facts.items()}
        write_whole(aside / "facts.json", json.dumps(listed))
        if folder.exists():  # another process was faster, or what is there is damaged
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _copy_from_other_entry(
    cache: Path, digests: Sequence[bytes], frame: Frame, pixels: _Bytes
) -> tuple[frozenset[int], dict[bytes, ImageFacts]]:
    """Copies images from the entry of this form that has most of them in common.

    Returns:
        The rows that were copied, and what is known of their images.
    """
    found = (_read(folder, frame) for folder in sorted(cache.glob(f"{_form(frame)}-*")))
    entries = [entry for entry in found if entry is not None]
    wanted = set(digests)
    best = max(entries, key=lambda entry: len(wanted & entry.numbers.keys()), default=None)
    if best is None:
        return frozenset(), {}
    rows = [row for row, digest in enumerate(digests) if digest in best.numbers]
    try:
        source, row_of = _open_pixels(best)
    except (OSError, IndexError):  # another process has removed it since
        return frozenset(), {}
    _copy_rows(source, row_of[[best.numbers[digests[row]] for row in rows]], pixels, rows)
    copied = wanted & best.numbers.keys()
    return frozenset(rows), {key: fact for key, fact in best.facts.items() if key in copied}


def _open_pixels(entry: CacheEntry) -> tuple[_Bytes, _Ints]:
    """The pixels of an entry, mapped for reading, and the row of each number in them."""
    path, order = _layouts(entry.folder, entry.frame)[0]
    row_of = np.empty(len(entry.numbers), np.int64)
    row_of[order[order >= 0]] = np.flatnonzero(order >= 0)
    frame = entry.frame
    shape = (len(order), frame.channels, frame.height, frame.width)
    return np.memmap(path, np.uint8, "r", shape=shape), row_of


def _copy_rows(source: _Bytes, from_rows: _Ints, target: _Bytes, to_rows: Sequence[int]) -> None:
    for start in range(0, len(from_rows), _ROWS_AT_A_TIME):
        some = slice(start, start + _ROWS_AT_A_TIME)
        target[to_rows[some]] = source[from_rows[some]]


def _near_pairs(pixels: _Bytes, kept: _Ints) -> _Ints:
    """Near duplicates among the rows ``kept``, by their place in it."""
    if len(kept) < 2:
        return np.empty((0, 2), np.int64)
    pairs = near_duplicates(torch.from_numpy(np.asarray(pixels)))
    # Rows without an image are black, and so equal only to images that are equal anyway.
    return pairs_of(groups_of(pairs, len(pixels))[kept])


@contextlib.contextmanager
def _created(path: Path, num_rows: int, frame: Frame) -> Iterator[_Bytes]:
    """A new file of so many images, mapped for writing, its room on the disk taken."""
    num_bytes = max(1, num_rows * frame.num_bytes)
    try:
        with path.open("wb") as file:
            # Writing to a mapping on a full disk would end the process; this asks before.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, num_bytes)
            else:
                file.truncate(num_bytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise DataError(
                f"{path.parent}: {num_bytes / 1e6:.0f} MB of decoded images do not fit: "
                f"{error.strerror}; free some space, or name another place in TELLAPART_CACHE"
            ) from error
        os.truncate(path, num_bytes)
    shape = (num_rows, frame.channels, frame.height, frame.width)
    pixels = np.memmap(path, np.uint8, "r+", shape=shape)
    yield pixels
    pixels.flush()


def _rearrange(entry: CacheEntry, wanted: _Ints, target: Path) -> None:
    """Writes the pixels anew in the wanted order, and removes the files in other orders."""
    old = _layouts(entry.folder, entry.frame)
    _write_rows(entry, wanted, target)
    _write_order(entry.folder, wanted)
    for path, gone in old:
        # Who has it mapped keeps it; some systems then refuse to remove it, which does no harm.
        with contextlib.suppress(OSError):
            _order_path(entry.folder, gone).unlink()
            path.unlink()


def _write_rows(entry: CacheEntry, wanted: _Ints, target: Path) -> None:
    """Writes the pixels of these numbers, in this order, into a new file."""
    source, row_of = _open_pixels(entry)
    descriptor, name = tempfile.mkstemp(prefix=".pixels.", dir=target.parent)
    os.close(descriptor)
    try:
        with _created(Path(name), len(wanted), entry.frame) as new:
            _copy_rows(source, row_of[wanted], new, range(len(wanted)))
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _order_path(folder: Path, order: _Ints) -> Path:
    return folder / _pixels_path(folder, order).name.replace("pixels", "order").replace("u8", "npy")


def _write_order(folder: Path, order: _Ints) -> None:
    file = io.BytesIO()
    np.save(file, order)
    write_whole(_order_path(folder, order), file.getvalue())
