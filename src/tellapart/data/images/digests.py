"""SHA-256 digests of files; files that have not changed are not read again.

As git does it: a file with the size and the time of change that it had when it was last read holds
what it held then. A file changed within two seconds of being read is read again next time, because
a second change may have left it the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tellapart.data.cache_folder import user_cache
from tellapart.data.images.listing import ReadableFile
from tellapart.errors import RunError
from tellapart.files import make_folder, write_whole

Progress = Callable[[int, int], None]
"""Called now and then with (images done, images in all)."""

_UNSURE_NANOSECONDS = 2_000_000_000
_FILES_AT_A_TIME = 32
_BYTES_AT_A_TIME = 2**16


class _Stamp(NamedTuple):
    size_bytes: int
    changed_nanoseconds: int


def digest_files(
    root: Path, paths: Sequence[ReadableFile], progress: Progress | None = None
) -> tuple[dict[ReadableFile, bytes], dict[ReadableFile, str]]:
    """Return the SHA-256 of each file, and the reason for each file that cannot be read.

    Args:
        root: names the list of what is known already.
        paths: the files; those known and unchanged are not opened.
        progress: is told.
    """
    index = _index_path(root)
    known = _read_index(index)
    stamps = _stamps(paths)
    found = {
        path: known[os.fspath(path)][1]
        for path, stamp in stamps.items()
        if known.get(os.fspath(path), (None, b""))[0] == stamp
    }
    fresh = [path for path in stamps if path not in found]
    failed = {path: "no such file, or not to be looked up" for path in paths if path not in stamps}
    started = time.time_ns()
    with ThreadPoolExecutor(num_cores()) as pool:
        # Several files a job: handing over a job costs as much as hashing a small file.
        starts = range(0, len(fresh), _FILES_AT_A_TIME)
        portions = [fresh[start : start + _FILES_AT_A_TIME] for start in starts]
        num_done = 0
        for some, digests in zip(portions, pool.map(_digest_some, portions), strict=True):
            for path, digest in zip(some, digests, strict=True):
                (found if isinstance(digest, bytes) else failed)[path] = digest  # type: ignore[assignment]
            num_done += len(some)
            if progress:
                progress(num_done, len(fresh))
    if fresh or len(known) != len(found):
        sure = {
            path: (stamps[path], digest)
            for path, digest in found.items()
            if stamps[path].changed_nanoseconds < started - _UNSURE_NANOSECONDS
        }
        # Where the list cannot be written, files are read again next time, and nothing is lost.
        with contextlib.suppress(RunError):
            make_folder(index.parent)
            write_whole(index, _index_bytes(sure))
    return found, failed


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _stamps(paths: Sequence[ReadableFile]) -> dict[ReadableFile, _Stamp]:
    stamps = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        stamps[path] = _Stamp(status.st_size, status.st_mtime_ns)
    return stamps


def _digest_some(paths: Sequence[ReadableFile]) -> list[bytes | str]:
    return [_digest(path) for path in paths]


def _digest(path: ReadableFile) -> bytes | str:
    try:
        # `hashlib.file_digest` clears a buffer of its own first: half the time of a small file.
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while part := file.read(_BYTES_AT_A_TIME):
                digest.update(part)
        return digest.digest()
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _index_path(root: Path) -> Path:
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return user_cache() / "digests" / f"{name}.npz"


def _read_index(index: Path) -> dict[str, tuple[_Stamp, bytes]]:
    """The known digests by path; empty if the list is missing or damaged."""
    try:
        # From memory: of a damaged archive NumPy leaves the file open.
        with np.load(io.BytesIO(index.read_bytes()), allow_pickle=False) as arrays:
            names = os.fsdecode(arrays["names"].tobytes()).split("\0")
            stamps, digests = arrays["stamps"].tolist(), arrays["digests"].tobytes()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    if not stamps or len(names) != len(stamps) or len(digests) != 32 * len(names):
        return {}
    return {
        name: (_Stamp(*stamp), digests[32 * row : 32 * row + 32])
        for row, (name, stamp) in enumerate(zip(names, stamps, strict=True))
    }


def _index_bytes(known: Mapping[ReadableFile, tuple[_Stamp, bytes]]) -> bytes:
    file = io.BytesIO()
    np.savez(
        file,
        names=np.frombuffer(b"\0".join(map(os.fsencode, known)), np.uint8),
        stamps=np.array([stamp for stamp, _ in known.values()], np.int64).reshape(-1, 2),
        digests=np.frombuffer(b"".join(digest for _, digest in known.values()), np.uint8),
    )
    return file.getvalue()
