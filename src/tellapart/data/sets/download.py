"""Downloading one file from the first mirror that has it; broken downloads are resumed.

A download grows in ``<name>.part`` beside its place. It takes its name only once it is complete,
checked and synced, so a file under its own name is always complete, even if the process was killed.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tellapart.errors import DataError

if sys.platform != "win32":
    import fcntl

Progress = Callable[[int, int | None], None]
"""Called as bytes arrive with (done_bytes, total_bytes); the total is None where not known."""

TIMEOUT_SECONDS = 30.0
"""How long a server may stay silent before the next mirror is tried."""

_CHUNK_BYTES = 2**18
_MAX_RESUMPTIONS = 5
_HEADERS = {"User-Agent": "tellapart", "Accept-Encoding": "identity"}


class _MirrorError(Exception):
    """One mirror did not deliver the file; the text is the reason."""


class _BrokeOffError(_MirrorError):
    """The connection ended early but delivered some bytes, so resuming is worthwhile."""


@dataclass(frozen=True)
class _Transfer:
    """The arguments of a download that are the same for all mirrors."""

    part: BinaryIO
    check: Callable[[Path], None]
    progress: Progress
    max_bytes: int
    timeout_seconds: float


def download(
    urls: Sequence[str],
    target: Path,
    *,
    check: Callable[[Path], None],
    max_bytes: int,
    progress: Progress | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Download one file to ``target``, or leave ``target`` unchanged.

    Two processes that want the same file at the same time wait for each other, and the second
    finds it there.

    Args:
        urls: mirrors of the same file, tried in turn.
        target: where the file goes; its folder is made where it is missing.
        check: called with the complete file before it takes its name; raises DataError to refuse
            it, and then the file is fetched from the start or from the next mirror.
        max_bytes: break off where a mirror sends more than this.
        progress: called as bytes arrive.
        timeout_seconds: how long a server may stay silent.

    Raises:
        DataError: where no mirror delivers, naming what each of them did; or where ``target``
            cannot be written.
    """
    failures: list[str] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked_part(target) as part:
            if target.exists():  # another process was faster
                return
            transfer = _Transfer(part, check, progress or _no_progress, max_bytes, timeout_seconds)
            for url in urls:
                try:
                    _fetch_from(url, transfer)
                except _MirrorError as failure:
                    failures.append(f"{url}: {failure}")
                else:
                    _give_its_name(part, target)
                    return
    except OSError as error:
        raise DataError(
            f"{target}: cannot be written: {error.strerror or error}; "
            "free space there or choose another folder with --data-dir"
        ) from error
    raise DataError(f"{target.name}: no mirror delivered it: {'; '.join(failures)}")


def _no_progress(done_bytes: int, total_bytes: int | None) -> None:
    del done_bytes, total_bytes


@contextmanager
def _locked_part(target: Path) -> Iterator[BinaryIO]:
    """Open the partial file beside ``target``, locked; it is deleted if it stays empty."""
    path = target.with_name(target.name + ".part")
    with _open_locked(path) as part:
        try:
            yield part
        finally:
            if not part.closed and os.fstat(part.fileno()).st_size == 0:
                with contextlib.suppress(PermissionError):  # Windows deletes no open file
                    path.unlink()


def _open_locked(path: Path) -> BinaryIO:
    while True:
        part = path.open("ab")
        if sys.platform == "win32":
            return part
        # Some network file systems know no locks: the digest still guards the result there.
        with contextlib.suppress(OSError):
            fcntl.flock(part, fcntl.LOCK_EX)
        if _is_at(part, path):
            return part
        part.close()  # the previous holder of the lock has renamed or deleted it: open again


def _is_at(part: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(part.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _fetch_from(url: str, transfer: _Transfer) -> None:
    """Complete the partial file from ``url`` and check it; resume while bytes arrive."""
    part = transfer.part
    failure: _MirrorError
    for _ in range(1 + _MAX_RESUMPTIONS):
        resumed = part.seek(0, os.SEEK_END) > 0
        try:
            _receive(url, transfer)
        except _BrokeOffError as error:
            failure = error
            continue
        part.flush()
        try:
            transfer.check(Path(part.name))
        except DataError as error:
            part.truncate(0)
            failure = _MirrorError(f"it sent a wrong file: {error}")
            if resumed:  # its beginning came from elsewhere: fetch all of it from here
                continue
            raise failure from error
        return
    raise failure


def _receive(url: str, transfer: _Transfer) -> None:
    """Append the rest of ``url`` to the partial file, or start over if it cannot resume."""
    part = transfer.part
    offset = part.seek(0, os.SEEK_END)
    response = _open(url, offset, transfer.timeout_seconds)
    if response is None:  # nothing beyond the part: it is complete, or it is wrong
        return
    with response:
        if offset and not _resumes_at(response, offset):
            part.truncate(0)
            offset = 0
        length = response.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdecimal() else None
        done = _append(response, offset, total, transfer)
    if total is not None and done < total:
        kind = _BrokeOffError if done > offset else _MirrorError
        raise kind(f"it broke off after {done} of {total} bytes")


def _append(
    response: http.client.HTTPResponse, done: int, total: int | None, transfer: _Transfer
) -> int:
    """Append the body to the partial file; return the size of that file."""
    start = done
    transfer.progress(done, total)
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            kind = _BrokeOffError if done > start else _MirrorError
            raise kind(f"it broke off after {done} bytes: {_reason(error)}") from error
        if not chunk:
            return done
        done += len(chunk)
        if done > transfer.max_bytes:
            transfer.part.truncate(0)
            raise _MirrorError(f"it sent more than {transfer.max_bytes} bytes")
        transfer.part.write(chunk)
        transfer.progress(done, total)


def _open(url: str, offset: int, timeout_seconds: float) -> http.client.HTTPResponse | None:
    """Request the file from ``offset`` on; None if the server has nothing beyond it."""
    headers = _HEADERS | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        request = urllib.request.Request(url, headers=headers)
        if request.type not in ("http", "https"):
            raise _MirrorError("only http and https are fetched")
        response: http.client.HTTPResponse = urllib.request.urlopen(
            request, timeout=timeout_seconds
        )
    except urllib.error.HTTPError as error:
        error.close()
        if offset and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise _MirrorError(f"HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _MirrorError(_reason(error)) from error
    return response


def _resumes_at(response: http.client.HTTPResponse, offset: int) -> bool:
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return False
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != offset:
        raise _MirrorError(
            f"asked for bytes from {offset} on, it sent "
            f"{response.headers.get('Content-Range', 'a part without Content-Range')}"
        )
    return True


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _give_its_name(part: BinaryIO, target: Path) -> None:
    os.fsync(part.fileno())
    if sys.platform == "win32":  # Windows renames no open file and syncs no folder
        part.close()
        Path(part.name).replace(target)
        return
    Path(part.name).replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
