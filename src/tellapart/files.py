"""Write files completely or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tellapart.errors import RunError


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file such that a reader of ``path`` finds either the old or the new content.

    The content is written to a temporary file in the same folder and synced to the disk; then that
    file is renamed to ``path``. The folder is synced last, so that the rename survives a power cut.

    Raises:
        RunError: where the file cannot be written; the old content of ``path`` is untouched.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    aside: str | None = None
    try:
        descriptor, aside = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part"
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read; these get the usual permissions.
        Path(aside).chmod(0o666 & ~_umask())
        Path(aside).replace(path)
        aside = None
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; "
            "its old content is untouched. Free some space or choose another folder"
        ) from error
    finally:
        if aside is not None:
            with contextlib.suppress(OSError):
                Path(aside).unlink()
    # The new file is in place. A folder that cannot be opened, or a file system that cannot sync
    # folders, is not a failure to write.
    with contextlib.suppress(OSError):
        _sync_folder(path.parent)


def expand_home(path: str | Path) -> Path:
    """Expand ``~`` and ``~name`` as a shell does; the name of an unknown user stays as it is."""
    with contextlib.suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    # Windows cannot open a folder; there the file system decides how durable the rename is.
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder and its parents.

    Raises:
        RunError: where the folder cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder {path}: {error.strerror or error}") from None


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C until the block is done, then raise it.

    Python handles signals in the main thread only and raises ``KeyboardInterrupt`` there; in any
    other thread this context does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if arrived:
        signal.raise_signal(signal.SIGINT)
