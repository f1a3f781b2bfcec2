"""Reading and writing IDX, the format of MNIST and its relatives, raw or gzipped.

A file is a header of big-endian fields and then one byte per value, last dimension fastest::

    offset 0   0x00 0x00             always zero
    offset 2   type code             0x08: unsigned byte, the only one read here
    offset 3   number of dimensions  1 for labels; 3 or 4 for images
    offset 4   that many uint32      (count), (count, height, width)
                                     or (count, channels, height, width)
                                     or (count, height, width, channels)

What a file claims about itself is not believed: no memory is taken for bytes that have not come.

Source: http://yann.lecun.com/exdb/mnist/, "File formats for the MNIST database".
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError

Content = Literal["images", "labels"]

MAX_BYTES = 8 * 2**30
"""The most uncompressed bytes a file may hold, 8 GiB, unless the caller gives less."""

GZIP_MAGIC = b"\x1f\x8b"
"""The first two bytes of every gzipped file."""

_UNSIGNED_BYTE = 0x08
_DIMENSION_NAMES = {
    1: ("count",),
    3: ("count", "height", "width"),
    4: ("count", "channels", "height", "width"),
}
_DIMENSIONS: dict[Content, tuple[int, ...]] = {"images": (3, 4), "labels": (1,)}
_CHUNK_BYTES = 2**20
_REMEDY = "fetch or copy the file again"


@dataclass(frozen=True)
class IdxFile:
    """The content of an IDX file, and the digest by which it is checked.

    Args:
        array: uint8, (count,) for labels, (count, [channels,] height, width) for images.
        sha256: hexadecimal SHA-256 of the uncompressed bytes, header included, so that a raw
            file and every gzipped copy of it have the same.
    """

    array: NDArray[np.uint8]
    sha256: str

    @property
    def raw_bytes(self) -> int:
        """Size of the uncompressed file, header included."""
        return 4 + 4 * self.array.ndim + self.array.size


class IdxPair(NamedTuple):
    """One split: images (count, [channels,] height, width) and labels (count,), both uint8."""

    images: IdxFile
    labels: IdxFile


def read_idx(path: Path, *, expect: Content, max_bytes: int = MAX_BYTES) -> IdxFile:
    """Read an IDX file, raw or gzipped by its first two bytes, and compute its digest.

    Args:
        path: the file.
        expect: ``images`` wants 3 or 4 dimensions, ``labels`` wants 1.
        max_bytes: refuse a file whose header claims more uncompressed bytes than this.

    Raises:
        DataError: where the file cannot be opened, is not IDX of unsigned bytes with the expected
            dimensions, is shorter or longer than its header claims, or its gzip stream is damaged.
    """
    try:
        # A pipe or a device would block or never end.
        if not path.is_file():
            raise DataError(f"{path}: no such file; expected IDX {expect}")
        with path.open("rb") as file:
            gzipped = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if gzipped:
                content = _read_gzipped(path, file, expect, max_bytes)
            else:
                content = _read_raw(path, file, expect, max_bytes)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return content


def read_idx_pair(images_path: Path, labels_path: Path) -> IdxPair:
    """Read the images and the labels of one split.

    Raises:
        DataError: as :func:`read_idx`, and where the two counts differ.
    """
    images = read_idx(images_path, expect="images")
    labels = read_idx(labels_path, expect="labels")
    require_one_label_per_image(images_path, images, labels_path, labels)
    return IdxPair(images, labels)


def require_one_label_per_image(
    images_path: Path, images: IdxFile, labels_path: Path, labels: IdxFile
) -> None:
    """Refuse a pair whose counts differ.

    Raises:
        DataError: naming both files and both counts.
    """
    if len(images.array) != len(labels.array):
        raise DataError(
            f"{images_path} holds {len(images.array)} images and {labels_path} "
            f"{len(labels.array)} labels; there must be one label per image: "
            "take both files from the same source"
        )


def write_idx(path: Path, array: NDArray[np.uint8], *, compress: bool = False) -> None:
    """Write ``array`` as IDX; the same array always gives the same bytes.

    Args:
        path: the file; it is replaced where it exists.
        array: uint8, (count,) or (count, [channels,] height, width).
        compress: gzip it, with no name and no time of day in the gzip header.

    Raises:
        DataError: where the array is not uint8 or has another number of dimensions.
    """
    if array.dtype != np.uint8 or array.ndim not in _DIMENSION_NAMES:
        raise DataError(
            f"IDX holds uint8 with {', '.join(map(str, _DIMENSION_NAMES))} dimensions here, "
            f"got {array.dtype} {array.shape}"
        )
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, _UNSIGNED_BYTE, array.ndim, *array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content, 9, mtime=0) if compress else content)


def _read_raw(path: Path, file: BinaryIO, expect: Content, max_bytes: int) -> IdxFile:
    shape = _read_header(path, file, expect, max_bytes)
    header_bytes = file.tell()
    total_bytes = header_bytes + math.prod(shape)
    file_bytes = os.fstat(file.fileno()).st_size
    if file_bytes < total_bytes:
        raise _truncated(path, file_bytes, shape, total_bytes)
    if file_bytes > total_bytes:
        raise _too_long(path, shape, total_bytes)
    file.seek(0)
    content = np.fromfile(file, dtype=np.uint8, count=total_bytes)
    if len(content) < total_bytes:  # the file shrank meanwhile
        raise _truncated(path, len(content), shape, total_bytes)
    sha256 = hashlib.sha256(content.data).hexdigest()
    return IdxFile(content[header_bytes:].reshape(shape), sha256)


def _read_gzipped(path: Path, file: BinaryIO, expect: Content, max_bytes: int) -> IdxFile:
    content = bytearray()
    digest = hashlib.sha256()
    try:
        with gzip.GzipFile(fileobj=file) as stream:
            shape = _read_header(path, stream, expect, max_bytes)
            header_bytes = stream.tell()
            total_bytes = header_bytes + math.prod(shape)
            stream.seek(0)
            # The buffer grows with what arrives: a header that lies costs nothing.
            while len(content) < total_bytes:
                chunk = stream.read(min(_CHUNK_BYTES, total_bytes - len(content)))
                if not chunk:
                    raise _truncated(path, len(content), shape, total_bytes)
                content += chunk
                digest.update(chunk)
            # One byte more, and no bomb behind it; at the end this also checks gzip's CRC.
            if stream.read(1):
                raise _too_long(path, shape, total_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: the gzip stream is damaged or breaks off after offset {len(content)} "
            f"(uncompressed): {error}; {_REMEDY}"
        ) from error
    # A bytearray, unlike bytes, makes a writable array, which torch takes without a copy.
    values = np.frombuffer(content, dtype=np.uint8, offset=header_bytes)
    return IdxFile(values.reshape(shape), digest.hexdigest())


def _read_header(
    path: Path, file: BinaryIO | gzip.GzipFile, expect: Content, max_bytes: int
) -> tuple[int, ...]:
    """Read the shape in the header; the file is then positioned after the header."""
    start = file.read(4)
    if len(start) < 4:
        raise DataError(
            f"{path}: breaks off at offset {len(start)}, within the 4 bytes every IDX file "
            f"starts with; {_REMEDY}"
        )
    if start[:2] != b"\x00\x00":
        raise DataError(
            f"{path}: not an IDX file: at offset 0 expected 00 00, got {start[:2].hex(' ')}; "
            "give the -ubyte file as published, raw or gzipped"
        )
    if start[2] != _UNSIGNED_BYTE:
        raise DataError(
            f"{path}: at offset 2 expected type code 0x08 (unsigned byte), got 0x{start[2]:02x}; "
            "write the file again with one unsigned byte per value"
        )
    wanted = _DIMENSIONS[expect]
    if start[3] not in wanted:
        raise DataError(
            f"{path}: at offset 3 expected {' or '.join(map(str, wanted))} dimension(s), "
            f"as {expect} have, got {start[3]}; are the files of images and labels swapped?"
        )
    return _read_shape(path, file, start[3], max_bytes)


def _read_shape(
    path: Path, file: BinaryIO | gzip.GzipFile, num_dimensions: int, max_bytes: int
) -> tuple[int, ...]:
    fields = file.read(4 * num_dimensions)
    if len(fields) < 4 * num_dimensions:
        raise DataError(f"{path}: breaks off at offset {4 + len(fields)}, in the header; {_REMEDY}")
    shape: tuple[int, ...] = struct.unpack(f">{num_dimensions}I", fields)
    for index, name in enumerate(_DIMENSION_NAMES[num_dimensions]):
        if index > 0 and shape[index] == 0:
            raise DataError(
                f"{path}: at offset {4 + 4 * index} the {name} is 0, it must be positive; {_REMEDY}"
            )
    claimed_bytes = 4 + len(fields) + math.prod(shape)
    if claimed_bytes > max_bytes:
        raise DataError(
            f"{path}: the header at offset 4 claims {shape}, {claimed_bytes} bytes; "
            f"at most {max_bytes} are read from this file: the header is damaged, "
            "or the file must be split"
        )
    return shape


def _truncated(path: Path, received: int, shape: tuple[int, ...], total: int) -> DataError:
    return DataError(
        f"{path}: breaks off at offset {received}; the header claims {shape}, "
        f"{total} bytes in all; {_REMEDY}"
    )


def _too_long(path: Path, shape: tuple[int, ...], total: int) -> DataError:
    return DataError(
        f"{path}: goes on at offset {total}, where it should end by its header, "
        f"which claims {shape}; {_REMEDY}"
    )
