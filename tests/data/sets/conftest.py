"""Tar archives, written as WebDataset and tar write them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

WriteTar = Callable[[Path, Iterable[tuple[str, bytes | str | Path]]], Path]


@pytest.fixture
def write_tar() -> WriteTar:
    """Writes members, each a name and its content or a file, in the order given."""

    def write(path: Path, members: Iterable[tuple[str, bytes | str | Path]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as tar:
            for name, content in members:
                if isinstance(content, Path):
                    content = content.read_bytes()
                data = content.encode() if isinstance(content, str) else content
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return path

    return write
