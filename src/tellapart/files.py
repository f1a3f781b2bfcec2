"""Files written whole or not at all."""

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
    """Writes a file so that whoever reads ``path``, at any moment, finds the old or the new one.

    The bytes go to a file beside it, are synced to the disk, and the file is renamed over
    ``path``; the folder is synced last, so that the rename itself outlives a power cut.

    Raises:
        RunError: where the file cannot be written; what ``path`` held before is untouched.
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
        # mkstemp makes files that only their owner reads; a run is to be as shareable as any file.
        Path(aside).chmod(0o666 & ~_umask())
        Path(aside).replace(path)
        aside = None
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; "
            "what stood there before is untouched. Free some space or choose another folder"
        ) from error
    finally:
        if aside is not None:
            with contextlib.suppress(OSError):
                Path(aside).unlink()
    # The new file stands: a folder that may not be opened, or a file system that cannot sync one,
    # is no failure to write.
    with contextlib.suppress(OSError):
        _sync_folder(path.parent)


def expand_home(path: str | Path) -> Path:
    """``~`` and ``~name`` as the shell means them; a name that nobody has is left as it stands."""
    with contextlib.suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    # Windows cannot open a folder; there the rename is as durable as the file system makes it.
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Makes a folder and those above it.

    Raises:
        RunError: where it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder {path}: {error.strerror or error}") from None


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds Ctrl-C back until the block is done, then lets it through.

    Signals can be handled in the main thread only; elsewhere Python never raises
    ``KeyboardInterrupt``, and the block just runs.
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
