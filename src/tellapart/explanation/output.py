"""Writing an explanation: the page, and heat maps as PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from tellapart.errors import RunError
from tellapart.explanation.colouring import enlarged
from tellapart.explanation.entries import Explained, MapPair
from tellapart.explanation.page import map_image
from tellapart.files import make_folder, write_whole


def require_new_folder(folder: Path) -> None:
    """Refuse a folder that is not empty.

    Raises:
        RunError: a folder that holds anything, or a path that is no folder.
    """
    try:
        found = next(iter(sorted(folder.iterdir())), None) if folder.exists() else None
    except OSError as error:
        raise RunError(
            f"cannot write to {folder}: {error.strerror or error}; choose another --out"
        ) from None
    if found is not None:
        raise RunError(
            f"{folder} holds {found.name} and is left as it is: an explanation goes to a new or "
            "empty folder; choose another --out"
        )


def heat_map_files(explained: Sequence[Explained]) -> dict[str, bytes]:
    """Return the heat maps as PNG by file name: number, image, method and class."""
    files: dict[str, bytes] = {}
    width = len(str(len(explained)))
    for number, entry in enumerate(explained, start=1):
        place = f"image-{entry.index}" if entry.path is None else Path(entry.path).stem
        for method, pair in entry.maps.items():
            for which, name in (("answer", entry.answer), ("other", entry.other)):
                role = which if which == "answer" else entry.role.replace("_", "-")
                file = f"{number:0{width}}-{_plain(place)}-{method}-{role}-{_plain(name)}.png"
                files[file] = _png(entry, pair, which)
    return files


def write_explanation(
    folder: Path, pictures: Mapping[str, bytes], page_name: str, page: str
) -> tuple[Path, ...]:
    """Write the pictures, and the page last: where it is, all is there. Returns the pictures.

    Raises:
        RunError: a folder or a file that cannot be written.
    """
    make_folder(folder)
    for name, content in pictures.items():
        write_whole(folder / name, content)
    write_whole(folder / page_name, page)
    return tuple(folder / name for name in pictures)


def _png(entry: Explained, pair: MapPair, which: str) -> bytes:
    pixels = enlarged(map_image(entry, pair, which))
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(file, "PNG")
    return file.getvalue()


def _plain(text: str) -> str:
    """A text of letters, digits, dots and hyphens, at most 40 of them, for the name of a file."""
    return re.sub(r"[^\w.-]+", "-", text)[:40].strip("-") or "image"
