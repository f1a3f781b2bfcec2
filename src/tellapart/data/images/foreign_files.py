"""Describing a folder without images: the kinds of its files, and how to convert them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from tellapart.data.images.walking import IMAGE_SUFFIXES

_RAW_SUFFIXES = ".arw .cr2 .cr3 .dng .nef .orf .raf .raw .rw2"
_CONVERTED = "convert them to JPEG or PNG"
_REMEDIES = {
    ".heic .heif .avif .jxl .jp2 .j2k .ico .tga .psd .exr .hdr": _CONVERTED,
    ".dcm .dicom": "are DICOM: choose a window of grey values and convert them to PNG",
    ".nii .nrrd .mha": "are volumes: cut them into slices and save those as PNG",
    ".npy": "are arrays: save images as PNG, or all of them as x_train and y_train in one .npz",
    ".npz": "are archives of arrays: give one of them itself, not its folder",
    ".xlsx .xls .ods": "are spreadsheets: save one as .csv with the columns path and label",
    ".csv .tsv": "are tables: give the table itself; it names images in its column path",
    _RAW_SUFFIXES: "are raw photographs: develop them, and " + _CONVERTED,
    ".svg .eps .ai": "are drawings made of lines: render them as PNG",
    ".pdf": "are documents: save their pages as PNG",
    ".mp4 .avi .mov .mkv .webm .mpg": "are videos: save single frames as JPEG or PNG",
    ".zip .7z .rar .gz .tgz .bz2 .xz": "are archives: unpack them first",
    ".parquet .arrow .tfrecord .h5 .hdf5 .mat .pkl .pickle .pt": (
        "are files of another program: export the images as JPEG or PNG, one folder per class"
    ),
}
_BY_SUFFIX = {suffix: text for suffixes, text in _REMEDIES.items() for suffix in suffixes.split()}
_NUM_KINDS = 4


def remedies_for(names: Iterable[str]) -> str:
    """How files become images, by the most common of their names' endings; empty if unknown.

    Args:
        names: of files that are no images by their names.
    """
    common = Counter(map(_suffix, names)).most_common(_NUM_KINDS)
    known = [(suffix, _BY_SUFFIX[suffix]) for suffix, _ in common if suffix in _BY_SUFFIX]
    texts = [text if text == _CONVERTED else f"{suffix} files {text}" for suffix, text in known]
    return "; ".join(dict.fromkeys(texts))


def what_it_holds(folder: Path, names: Sequence[str], wanted: str) -> str:
    """Say what a folder without an image holds, in words for an error, with the remedy.

    Args:
        folder: that was searched to the bottom.
        names: of all files there.
        wanted: where images are looked for, in words.
    """
    if not names:
        return f"{folder} is empty: it holds no file, nor does a folder below it; {wanted}"
    kinds = Counter(_suffix(name) for name in names)
    common = kinds.most_common(_NUM_KINDS)
    counts = ", ".join(f"{suffix or 'without an ending'} {count:,}" for suffix, count in common)
    more = ", ..." if len(kinds) > _NUM_KINDS else ""
    files = "1 file" if len(names) == 1 else f"{len(names):,} files"
    return f"{folder} holds {files}, none of them an image by its name ({counts}{more}); " + (
        remedies_for(names) or f"{wanted}; their names end in {' '.join(IMAGE_SUFFIXES)}"
    )


def _suffix(name: str) -> str:
    """``.nii`` of ``scan.nii.gz``, else what stands behind the last dot, in lower case."""
    path = PurePath(name.lower())
    inner = PurePath(path.stem).suffix
    return inner if path.suffix == ".gz" and inner in _BY_SUFFIX else path.suffix
