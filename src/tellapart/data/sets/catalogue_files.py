"""Finding, downloading and checking the files of the catalogue's data sets.

A file is looked for in ``data_dir/<name>``, ``$TELLAPART_DATA/<name>`` and the user cache, in this
order, and then downloaded into the cache. The first one found is the one used: if its digest is
wrong, that is an error and never a reason to go on looking.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib.resources
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tellapart.data.cache_folder import user_cache
from tellapart.data.image_set import DataSet
from tellapart.data.sets.catalogue import CatalogueEntry, CatalogueFile, catalogue_entry
from tellapart.data.sets.download import Progress, download
from tellapart.data.sets.idx import (
    GZIP_MAGIC,
    MAX_BYTES,
    IdxFile,
    IdxPair,
    read_idx,
    require_one_label_per_image,
)
from tellapart.data.sets.idx_folder import find_idx_file, fingerprint, image_sets
from tellapart.errors import DataError
from tellapart.files import expand_home

# What gzip puts on top of content that it cannot compress.
_GZIP_SLACK_BYTES = 2**16


def fetch(
    name: str, *, data_dir: Path | None = None, progress: Progress | None = None
) -> list[Path]:
    """Download the missing files of the catalogue's data set ``name``; return all paths.

    Args:
        name: a name of the catalogue; a bundled data set has nothing to download.
        data_dir: put the files into the folder called ``name`` in it, and look only there.
            Without it, files in ``$TELLAPART_DATA`` count, and downloads go to the user cache.
        progress: called with (done_bytes, total_bytes) of everything that is fetched.

    Returns:
        The data set's files: images and labels of train, then of test.

    Raises:
        DataError: where there is no such name, a file is there but not the expected one, or it
            cannot be downloaded.
    """
    entry = catalogue_entry(name)
    if entry.bundled:
        return list(_bundled_paths(entry))
    folders = (expand_home(data_dir) / name,) if data_dir else search_folders(name)
    present = {file: find_idx_file(file.name, folders) for file in entry.files}
    for file, path in present.items():
        if path is not None:
            _read_checked(file, path)
    paths = _complete(entry, folders, folders[-1], progress)
    return list(paths.values())


def search_folders(name: str, data_dir: Path | None = None) -> tuple[Path, ...]:
    """Return the folders that are searched for files of ``name``, in order; last the cache."""
    from_environment = os.environ.get("TELLAPART_DATA")
    roots = [
        *([data_dir] if data_dir else []),
        *([Path(from_environment)] if from_environment else []),
        user_cache() / "data",
    ]
    return tuple(expand_home(root) / name for root in roots)


def load_entry(
    entry: CatalogueEntry,
    data_dir: Path | None,
    allow_download: bool,
    progress: Progress | None,
) -> DataSet:
    """Load a data set of the catalogue.

    Raises:
        DataError: where a file is missing and cannot be fetched, or is not the expected one.
    """
    if data_dir is not None and not expand_home(data_dir).is_dir():
        raise DataError(f"the data folder {data_dir} does not exist; make it or leave it out")
    if entry.bundled:
        paths = dict(zip(entry.files, _bundled_paths(entry), strict=True))
    else:
        folders = search_folders(entry.name, data_dir)
        paths = _complete(entry, folders, folders[-1] if allow_download else None, progress)
    located = {(file.split, file.content): (file, path) for file, path in paths.items()}
    pairs = {}
    for split in ("train", "test"):
        images_path, labels_path = located[split, "images"][1], located[split, "labels"][1]
        images = _read_checked(*located[split, "images"])
        labels = _read_checked(*located[split, "labels"])
        require_one_label_per_image(images_path, images, labels_path, labels)
        pairs[split] = IdxPair(images, labels)
    return DataSet(
        name=entry.name,
        splits=image_sets(entry.class_names, pairs),
        fingerprint=fingerprint(entry.class_names, pairs),
        provenance=entry.provenance,
        licence=entry.licence,
        notes=entry.notes + _unchecked_notes(paths),
    )


def _complete(
    entry: CatalogueEntry,
    folders: Sequence[Path],
    download_folder: Path | None,
    progress: Progress | None,
) -> dict[CatalogueFile, Path]:
    """The path of each file of ``entry``, after downloading the missing ones."""
    found = {file: find_idx_file(file.name, folders) for file in entry.files}
    missing = [file for file, path in found.items() if path is None]
    done_bytes = 0
    expected_bytes = sum(file.download_bytes for file in missing)
    for file in missing:
        if download_folder is None:
            raise _nowhere(entry, file, folders, "downloading is switched off")
        target = download_folder / f"{file.name}.gz"
        try:
            download(
                [f"{mirror}{file.name}.gz" for mirror in entry.mirrors],
                target,
                check=functools.partial(_check_download, file),
                max_bytes=file.raw_bytes + _GZIP_SLACK_BYTES,
                progress=_shifted(progress, done_bytes, expected_bytes),
            )
        except DataError as error:
            raise _nowhere(entry, file, folders, f"not fetched: {error}") from error
        done_bytes += file.download_bytes
        found[file] = target
    return {file: path for file, path in found.items() if path is not None}


def _shifted(progress: Progress | None, bytes_before: int, expected_bytes: int) -> Progress | None:
    """Progress of one file as progress of all of them."""
    if progress is None:
        return None
    return lambda done, _: progress(bytes_before + done, expected_bytes)


def _nowhere(
    entry: CatalogueEntry, file: CatalogueFile, folders: Iterable[Path], reason: str
) -> DataError:
    places = ", ".join(str(folder) for folder in folders)
    return DataError(
        f"{entry.name}: {file.name}[.gz] is not in {places}; {reason}.\n"
        f"Without a network take the bundled 'mnist-sample', or name with --data-dir "
        f"the folder that holds {entry.name}/{file.name}"
    )


@functools.cache
def _bundled_paths(entry: CatalogueEntry) -> tuple[Path, ...]:
    # A package in a zip archive has its files unpacked for as long as the program runs.
    unpacked = ExitStack()
    atexit.register(unpacked.close)
    folder = importlib.resources.files("tellapart.data.sets") / entry.name.replace("-", "_")
    return tuple(
        unpacked.enter_context(importlib.resources.as_file(folder / f"{file.name}.gz"))
        for file in entry.files
    )


def _check_download(file: CatalogueFile, path: Path) -> None:
    _read_checked(file, path, max_bytes=file.raw_bytes)


def _read_checked(file: CatalogueFile, path: Path, max_bytes: int = MAX_BYTES) -> IdxFile:
    """Read ``path`` and check by its digest that it is ``file``."""
    if file.sha256_of == "gzip" and _is_gzipped(path):
        found = _sha256_of_file(path)
        if found != file.sha256:
            raise DataError(
                f"{path}: SHA-256 is {found}, that of the published {file.name}.gz is "
                f"{file.sha256}: it is damaged, another file, or was compressed anew; "
                "delete it to have it fetched, or unpack it to use it unchecked"
            )
    content = read_idx(path, expect=file.content, max_bytes=max_bytes)
    if file.sha256_of == "raw" and content.sha256 != file.sha256:
        raise DataError(
            f"{path}: SHA-256 of the uncompressed bytes is {content.sha256}, that of the true "
            f"{file.name} is {file.sha256}: it is damaged or another file; "
            "delete it to have it fetched, or name the right folder with --data-dir"
        )
    if content.raw_bytes != file.raw_bytes:
        raise DataError(
            f"{path}: holds {content.raw_bytes} bytes, the true {file.name} {file.raw_bytes}; "
            "delete it to have it fetched, or name the right folder with --data-dir"
        )
    return content


def _unchecked_notes(paths: Mapping[CatalogueFile, Path]) -> tuple[str, ...]:
    return tuple(
        f"{path} was not checked: only the digest of the published {file.name}.gz is known."
        for file, path in paths.items()
        if file.sha256_of == "gzip" and not _is_gzipped(path)
    )


def _is_gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def _sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
