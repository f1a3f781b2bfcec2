"""What an evaluation is called and where it goes, so that none is written over another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tellapart.data.image_set import DataSet
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.errors import RunError
from tellapart.models.views import views_in_words
from tellapart.runs.ensembling import ensemble_digest
from tellapart.runs.folder import RunFolder
from tellapart.runs.trained_run import TrainedRun


def evaluation_name(
    data_set: DataSet, source: str, split: str, views: Sequence[int], runs: Sequence[TrainedRun]
) -> str:
    """``DATA-SPLIT[-nine-views][-ensemble-of-N-DIGEST]``, the name of a folder.

    A name of the catalogue is one data set's; two folders may have the same name, and a few digits
    of the fingerprint tell them apart. So do a few digits of the weights for ensembles.

    Args:
        data_set: that is evaluated on.
        source: its place, as a run writes it down.
        split: of it.
        views: of each run, how many views of an image it answers by.
        runs: that answer together.
    """
    digits = () if source in CATALOGUE else (data_set.fingerprint[:8],)
    parts = [data_set.name, *digits, split]
    if max(views) > 1:
        parts.append(f"{views_in_words(views)} views".replace(" ", "-"))
    if len(runs) > 1:
        parts.append(f"ensemble-of-{len(runs)}-{ensemble_digest(runs)}")
    return "-".join(parts)


def evaluation_title(data: str, split: str, views: Sequence[int]) -> str:
    """``mnist, test split, ensemble of 3 runs, nine views of each image``.

    Args:
        data: the data set's name.
        split: of it.
        views: of each run, how many views of an image it answers by.
    """
    parts = [data, f"{split} split"]
    if len(views) > 1:
        parts.append(f"ensemble of {len(views)} runs")
    if max(views) > 1:
        parts.append(f"{views_in_words(views)} views of each image")
    return ", ".join(parts)


def require_place_for_evaluation(folder: Path) -> None:
    """Refuses a folder with anything in it but an earlier evaluation: a run above all.

    Raises:
        RunError: such a folder, or one that cannot be looked into.
    """
    own = RunFolder(folder)
    own_names = (own.report_file.name, own.evaluation_file.name)
    try:
        found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise RunError(
            f"cannot write an evaluation to {folder}: {error.strerror or error}; "
            "choose another --out"
        ) from None
    foreign = [name for name in found if name not in own_names]
    if foreign:
        raise RunError(
            f"{folder} holds {foreign[0]} and is left as it is: an evaluation goes to a new or "
            "empty folder, or to that of an earlier one; choose another --out"
        )
