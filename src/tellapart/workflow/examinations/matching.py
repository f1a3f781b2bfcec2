"""Which image of one run's data is which image of another run's, each in its own preparation."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from tellapart.data.image_set import DataSet
from tellapart.errors import RunError
from tellapart.wording import number, plural
from tellapart.workflow.evaluated_images import EvaluatedImages


def matching_rows(ours: EvaluatedImages, theirs: EvaluatedImages, who: str) -> Tensor:
    """Return for each of our images its place among theirs, int64 (images,).

    Image files are matched by their paths, so that each run may have an image size and a division
    of its own. Arrays have no paths: they are matched by position, and have to be equal.

    Args:
        ours: the images of one run.
        theirs: the images of another; more than ours are fine.
        who: the other run, for error messages.

    Raises:
        RunError: images that the other run does not have in this split, or with another label.
    """
    our_files, their_files = _files(ours), _files(theirs)
    if our_files and their_files:
        rows = _rows_by_file(our_files, their_files, ours.split, who)
    else:
        rows = _rows_by_position(ours, theirs, who)
    _require_same_labels(ours, theirs, rows, who)
    return rows


def _files(images: EvaluatedImages) -> tuple[str, ...]:
    """The path of each image; empty for arrays, and for a split of which images were drawn."""
    found = images.data_set.files.get(images.split, ())
    return tuple(map(os.fspath, found)) if len(found) == len(images.image_set) else ()


def _rows_by_file(ours: tuple[str, ...], theirs: tuple[str, ...], split: str, who: str) -> Tensor:
    places = {path: place for place, path in enumerate(theirs)}
    missing = [path for path in ours if path not in places]
    if missing:
        raise RunError(
            f"{who} has another {split} split: {number(len(missing))} of these "
            f"{plural(len(ours), 'image')} are not in it, such as {missing[0]}; compare runs with "
            "the same data, data.split_seed and fractions, or on data that neither was trained on"
        )
    return torch.tensor([places[path] for path in ours])


def _rows_by_position(ours: EvaluatedImages, theirs: EvaluatedImages, who: str) -> Tensor:
    first, second = ours.image_set, theirs.image_set
    if len(first) != len(second):
        raise RunError(
            f"{who} has another {ours.split} split: {plural(len(second), 'image')}, and here are "
            f"{number(len(first))}; compare runs with the same data, data.split_seed and fractions"
        )
    same = first.images.shape == second.images.shape and torch.equal(first.images, second.images)
    if not same and not _is_one_source(ours.data_set, theirs.data_set):
        raise RunError(
            f"{who} has other images in its {ours.split} split ({theirs.data_set.name}, "
            f"fingerprint {theirs.data_set.fingerprint[:12]}, against {ours.data_set.name}, "
            f"{ours.data_set.fingerprint[:12]}); compare runs with the same data and "
            "data.split_seed"
        )
    return torch.arange(len(first))


def _is_one_source(ours: DataSet, theirs: DataSet) -> bool:
    """Whether images differ only because drawings were changed to match each run's own."""
    return ours.fingerprint == theirs.fingerprint


def _require_same_labels(
    ours: EvaluatedImages, theirs: EvaluatedImages, rows: Tensor, who: str
) -> None:
    first, second = ours.image_set, theirs.image_set
    names = [second.class_names.index(name) for name in first.class_names]
    expected = torch.tensor(names)[first.labels.cpu()]
    num_other = int((expected != second.labels.cpu()[rows]).sum())
    if num_other:
        raise RunError(
            f"{who} has other labels for {number(num_other)} of these "
            f"{plural(len(first), 'image')}; compare runs with the same labels"
        )
