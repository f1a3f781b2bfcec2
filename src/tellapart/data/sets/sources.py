"""Finding and loading a data set, by its name in the catalogue or from files.

`open_source` asks each source of `SOURCES` in turn whether a path is its own. It lists what is
there, so that a recipe can be chosen; `OpenedSource.load` then reads the images in the form that
the recipe asks for. A new kind of source is one file and one entry in `SOURCES`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tellapart.data.image_set import DataSet
from tellapart.data.images.digests import Progress as ImageProgress
from tellapart.data.images.foreign_files import remedies_for
from tellapart.data.images.listing import is_text, path_text
from tellapart.data.preparation import Preparation
from tellapart.data.sets.arrays import ARRAYS
from tellapart.data.sets.catalogue import CATALOGUE, name_hint
from tellapart.data.sets.catalogue_files import load_entry, search_folders
from tellapart.data.sets.download import Progress
from tellapart.data.sets.folder import IMAGE_FOLDER
from tellapart.data.sets.idx_folder import IDX_FOLDER
from tellapart.data.sets.source import DataSource, OpenedSource, opened_ready
from tellapart.data.sets.table import TABLE
from tellapart.data.sets.tar_shards import TAR_SHARDS
from tellapart.errors import DataError
from tellapart.files import expand_home

# Asked in this order; a folder of images takes every folder that no other source has claimed.
SOURCES: tuple[DataSource, ...] = (IDX_FOLDER, TAR_SHARDS, IMAGE_FOLDER, TABLE, ARRAYS)


def load_data_set(
    source: str | Path,
    *,
    data_dir: Path | None = None,
    allow_download: bool = True,
    progress: Progress | None = None,
    preparation: Preparation | None = None,
    decoding: ImageProgress | None = None,
) -> DataSet:
    """Load a data set, by its name in the catalogue or from files.

    Args:
        source: a name of ``tellapart data list``, a folder with a sub-folder per class, a ``.csv``
            table, an ``.npz`` archive, tar archives, or a folder of IDX files.
        data_dir: the folder that is searched first, for ``DATA_DIR/NAME``.
        allow_download: whether missing files may be downloaded into the user cache.
        progress: called with (done_bytes, total_bytes) of each download.
        preparation: the form and the splits of image files; None chooses by the images.
        decoding: called with (done, total) of the image files that are decoded.

    Returns:
        The images (uint8) and labels (int64) of each split.

    Raises:
        DataError: an unknown source, a file that is missing, damaged or not the expected one, or
            images and labels that do not match.

    >>> import tellapart
    >>> test = tellapart.load_data_set("mnist-sample").split("test")
    >>> test.images.shape, test.labels.shape
    (torch.Size([1000, 1, 28, 28]), torch.Size([1000]))
    """
    opened = open_source(
        source, data_dir=data_dir, allow_download=allow_download, progress=progress
    )
    return opened.load(preparation or Preparation(), decoding)


def open_source(
    source: str | Path,
    *,
    data_dir: Path | None = None,
    allow_download: bool = True,
    progress: Progress | None = None,
) -> OpenedSource:
    """Find a data set and what is in it; image files are listed and not yet decoded.

    Args:
        source: a name of the catalogue, or a path that one of `SOURCES` reads. A name of the
            catalogue wins over a folder called so; ``./mnist`` is a folder.
        data_dir: where to look first, in the folder called as the data set.
        allow_download: whether a missing file may be fetched into the user cache.
        progress: called with (done_bytes, total_bytes) of everything that is fetched.

    Raises:
        DataError: as :func:`load_data_set`.
    """
    if isinstance(source, str) and source in CATALOGUE:
        entry = load_entry(CATALOGUE[source], data_dir, allow_download, progress)
        signs = CATALOGUE[source].shows_signs
        opened = opened_ready(entry, is_known=True, shows_signs=signs)
        return replace(opened, warnings=_namesake_warnings(source, data_dir))
    path = expand_home(source)
    try:
        is_there = path.exists()
    except OSError as error:
        raise DataError(f"{source}: cannot be looked up: {error.strerror}") from error
    if not is_there:
        raise DataError(
            f"no data set is called {str(source)!r}, and no file or folder was found there"
            f"{name_hint(str(source))}"
        )
    _require_text(path)
    for kind in SOURCES:
        if kind.is_mine(path):
            return kind.open(path)
    remedy = remedies_for([path.name])
    if remedy:
        raise DataError(f"{path} is no data set: {remedy}")
    kinds = ", ".join(kind.name for kind in SOURCES)
    raise DataError(
        f"{path} is a file of another kind; give {kinds}, or a name: {', '.join(CATALOGUE)}"
    )


def _namesake_warnings(name: str, data_dir: Path | None) -> tuple[str, ...]:
    """Return a warning about a folder with the name of the data set, which is not used."""
    here = Path(name)
    if not here.exists() or here.resolve() in {
        folder.resolve() for folder in search_folders(name, data_dir)
    }:
        return ()
    return (
        f"{name!r} is the data set of the catalogue; the folder ./{name} here is not taken: "
        f"write ./{name} for it",
    )


def _require_text(path: Path) -> None:
    """Refuse a path that cannot be written into the run's files."""
    whole = path.resolve()
    if not is_text(whole):
        raise DataError(
            f"{path_text(whole)}: this path is not UTF-8, and a run could not write down where its "
            "images are; rename the folder or file whose name is not"
        )
