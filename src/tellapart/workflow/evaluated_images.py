"""The images that ``evaluate`` measures on: a split of a run's own data, or of other data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.selection import match_classes
from tellapart.errors import DataError
from tellapart.runs.data import load_foreign
from tellapart.runs.drawings import correct_drawings
from tellapart.runs.ensembling import require_one_validation_split, warn_of_seen_images
from tellapart.runs.folder import source_of
from tellapart.runs.session import Session
from tellapart.runs.trained_run import TrainedRun

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class EvaluatedImages:
    """The images that are evaluated on.

    Args:
        data_set: the data set that they are from.
        image_set: the images, their labels in the class order of the (first) run.
        split: the name of the split.
        is_own: whether they are the (first) run's own.
        source: path or catalogue name of the data set, as a run records it.
        changes: the number of drawings that were changed, by change.
        relabelled: whether labels were corrected by another file than the run's own.
    """

    data_set: DataSet
    image_set: ImageSet
    split: str
    is_own: bool
    source: str
    changes: Mapping[str, int] = field(default_factory=dict)
    relabelled: bool = False


def images_to_evaluate(
    runs: Sequence[TrainedRun],
    data: str | Path | None,
    split: str,
    session: Session,
    *,
    as_is: bool,
    named: bool = False,
    corrections: str | Path | None = None,
) -> EvaluatedImages:
    """Load the images to evaluate runs on, prepared as the first run takes them.

    Args:
        runs: the runs; several are an ensemble.
        data: a catalogue name or a path; None is the first run's own data.
        split: ``train``, ``validation`` or ``test``.
        session: data folder and callbacks, which are told of images that were trained on.
        as_is: keep drawings of other data as they are.
        named: name the run in warnings also where it is the only one.
        corrections: a file of corrected labels, in place of the run's own; None for those.

    Raises:
        RunError, DataError: data that is missing, has changed, or does not fit the classifier.
    """
    first = runs[0]
    if split not in _SPLITS:
        raise DataError(f"split must be train, validation or test, got {split!r}")
    if data is None or (not first.path.is_file() and first.was_trained_on(data)):
        if corrections is not None:
            first = first.with_corrections(corrections)
            for change in first.data_set.notes[-1:] if first.data_set.corrections else ():
                session.callbacks.note(change)
        found = first.splits.get(split)
        image_set = found if found is not None else first.data_set.split(split)
        warn_of_seen_images(runs, image_set, session.callbacks, own=True, named=named)
        if split == "validation":
            require_one_validation_split(runs, image_set)
        return EvaluatedImages(
            first.data_set,
            image_set,
            split,
            True,
            first.data.source,
            relabelled=corrections is not None,
        )
    spec = first.classifier.spec
    data_set = load_foreign(data, spec, split, session, corrections)
    for note in data_set.notes:
        session.callbacks.note(note)
    image_set = data_set.split(split)
    warn_of_seen_images(runs, image_set, session.callbacks, own=False, named=named)
    if image_set.image_shape != first.classifier.image_shape:
        raise DataError(
            f"{data_set.name} has images of (channels, height, width) {image_set.image_shape}; "
            f"the classifier takes {first.classifier.image_shape}"
        )
    corrected = correct_drawings(data_set, None if as_is else spec.style, [split], session)
    if corrected.changes:
        session.callbacks.note(corrected.to_text() + "; --as-is leaves them as they are")
    image_set = corrected.data_set.split(split)
    matched = match_classes(image_set, spec.class_names, data_set.name)
    return EvaluatedImages(data_set, matched, split, False, source_of(data), corrected.changes)
