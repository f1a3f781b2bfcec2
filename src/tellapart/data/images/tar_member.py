"""Reading single files inside a tar archive, without unpacking it.

The archive is indexed once; a member is then found by its offset, so that members can be read in
any order and from many threads.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from tellapart.errors import DataError

TAR_SUFFIX = ".tar"
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


class MemberStatus(NamedTuple):
    """The part of `os.stat_result` that is used."""

    st_size: int
    st_mtime_ns: int


@functools.total_ordering
@dataclass(frozen=True, eq=False)
class TarMember:
    """A file in a tar archive, with the part of `pathlib.Path` that reading an image needs.

    Its path is the archive's with the member's name behind it: ``shards/train-0.tar/0001.jpg``.
    Members sort by archive and then by their place in it.

    Args:
        archive: the tar file.
        member: the member's name in it.
        offset: where its bytes begin in the archive.
        num_bytes: how many there are.
    """

    archive: Path
    member: str
    offset: int
    num_bytes: int

    @property
    def name(self) -> str:
        """The last part of the member's name."""
        return self.member.rpartition("/")[2]

    def open(self, mode: Literal["rb"] = "rb", buffering: int = -1) -> BinaryIO:
        """Read the member into memory and return it as a binary file.

        Raises:
            OSError: where the archive cannot be read or has become shorter.
        """
        del mode, buffering
        with self.archive.open("rb") as archive:
            archive.seek(self.offset)
            content = archive.read(self.num_bytes)
        if len(content) != self.num_bytes:
            raise OSError(errno.EIO, f"{self.archive.name} ends in the middle of {self.member}")
        return io.BytesIO(content)

    def stat(self) -> MemberStatus:
        """Return the member's size and the time at which its archive was changed."""
        return MemberStatus(self.num_bytes, self.archive.stat().st_mtime_ns)

    def is_file(self) -> bool:
        """Return whether the archive is still there."""
        return self.archive.is_file()

    def __fspath__(self) -> str:
        return os.fspath(self.archive / self.member)

    def __str__(self) -> str:
        return os.fspath(self)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TarMember) and self._key == other._key

    def __lt__(self, other: TarMember | Path) -> bool:
        theirs = other._key if isinstance(other, TarMember) else (other, -1)
        return self._key < theirs

    @property
    def _key(self) -> tuple[Path, int]:
        return self.archive, self.offset


def tar_members(archive: Path) -> tuple[TarMember, ...]:
    """Return the files in a tar archive, in the order in which they lie in it.

    Folders, links and devices are no files. An archive that has not changed is indexed once.

    Raises:
        DataError: where the archive is compressed, damaged, cut short, or cannot be read.
    """
    try:
        status = archive.stat()
    except OSError as error:
        raise DataError(f"{archive}: cannot be read: {error.strerror}") from error
    return _indexed(archive, status.st_size, status.st_mtime_ns)


def find_member(path: Path) -> TarMember | None:
    """Return the member that ``shards/train-0.tar/0001.jpg`` names.

    Returns None where no part of the path is a tar file, or the archive has no such member.

    Raises:
        DataError: as `tar_members`.
    """
    for parent in path.parents:
        if parent.suffix.lower() == TAR_SUFFIX and parent.is_file():
            status = parent.stat()
            by_name = _by_name(parent, status.st_size, status.st_mtime_ns)
            return by_name.get(path.relative_to(parent).as_posix())
    return None


@functools.lru_cache(maxsize=256)
def _by_name(archive: Path, num_bytes: int, changed: int) -> dict[str, TarMember]:
    return {member.member: member for member in _indexed(archive, num_bytes, changed)}


@functools.lru_cache(maxsize=256)
def _indexed(archive: Path, num_bytes: int, changed: int) -> tuple[TarMember, ...]:
    del changed  # part of the key only
    try:
        _require_uncompressed(archive)
        with tarfile.open(archive, "r:") as tar:
            entries = [entry for entry in tar if entry.isreg()]
    except tarfile.TarError as error:
        raise DataError(
            f"{archive}: is no tar archive, or a damaged one: {error}; copy or write it again"
        ) from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be read: {error.strerror or error}") from error
    for entry in entries:
        if entry.issparse():
            raise DataError(
                f"{archive}: {entry.name} is stored as a sparse file; write the archive without "
                "--sparse"
            )
        if entry.offset_data + entry.size > num_bytes:
            raise DataError(
                f"{archive}: ends in the middle of {entry.name}; copy or write it again"
            )
    return tuple(
        TarMember(archive, entry.name.removeprefix("./"), entry.offset_data, entry.size)
        for entry in entries
    )


def _require_uncompressed(archive: Path) -> None:
    with archive.open("rb") as file:
        start = file.read(8)
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            raise DataError(
                f"{archive}: is compressed ({name}), so its members cannot be read in any order; "
                "unpack it to a plain .tar (images are compressed already)"
            )
