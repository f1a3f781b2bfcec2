"""Memory-mapped files: tensors that may be larger than memory."""

from __future__ import annotations

import ctypes
import mmap
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch

# Of Linux; Python names the first from 3.13 on.
_MAP_NORESERVE, _WILL_NEED = 0x4000, 3


def mapped_bytes(path: Path, num_bytes: int) -> torch.Tensor:
    """The first ``num_bytes`` of a file as uint8 (num_bytes,).

    The mapping is private: writing to the tensor changes a copy in this process, not the file.
    """
    if sys.platform != "linux":
        return torch.from_file(str(path), shared=False, size=num_bytes, dtype=torch.uint8)
    with path.open("rb") as file:
        # Unless told not to, Linux sets memory aside for a copy of every page, and refuses to map
        # more than it has.
        mapping = mmap.mmap(
            file.fileno(),
            num_bytes,
            flags=mmap.MAP_PRIVATE | _MAP_NORESERVE,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
        )
    return torch.frombuffer(mapping, dtype=torch.uint8)


def announce_rows(mapped: torch.Tensor, rows: torch.Tensor) -> None:
    """Asks the system to read exactly these rows (int64) of a mapped tensor ahead.

    Without it each page is waited for in turn and read with unneeded neighbours: random images of
    48 kB are then read at a twentieth of the speed. It is a hint: on a system without such a call
    nothing happens.

    Source: madvise(2), MADV_WILLNEED.
    """
    advise = _advise()
    if advise is None or not mapped.is_contiguous() or not len(mapped):
        return
    row_bytes = mapped[0].numel() * mapped.element_size()
    for row in rows.tolist():
        start = mapped.data_ptr() + row * row_bytes
        begin = start - start % mmap.PAGESIZE
        advise(ctypes.c_void_p(begin), ctypes.c_size_t(start + row_bytes - begin), _WILL_NEED)


@cache
def _advise() -> Any:
    return ctypes.CDLL(None).madvise if sys.platform == "linux" else None
