"""Names and folders of evaluations, so that none overwrites another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tellapart.data.image_set import DataSet
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.errors import RunError
from tellapart.evaluation import Evaluation
from tellapart.models.views import views_in_words
from tellapart.runs.ensembling import ensemble_digest
from tellapart.runs.folder import RunFolder
from tellapart.runs.trained_run import TrainedRun


def evaluation_name(
    data_set: DataSet, source: str, split: str, views: Sequence[int], runs: Sequence[TrainedRun]
) -> str:
    """Return the name of the folder: ``DATA-SPLIT[-nine-views][-ensemble-of-N-DIGEST]``.

    Two data folders may have the same name, so eight digits of the fingerprint follow it, except
    for names of the catalogue without corrected labels. Eight digits of the weights identify an
    ensemble.

    Args:
        data_set: the data set of the evaluation.
        source: its path or catalogue name, as a run records it.
        split: the name of the split.
        views: for each run, the number of views of an image that it averages over.
        runs: the runs that are averaged.
    """
    is_known = source in CATALOGUE and not data_set.corrections
    digits = () if is_known else (data_set.fingerprint[:8],)
    parts = [data_set.name, *digits, split]
    if max(views) > 1:
        parts.append(f"{views_in_words(views)} views".replace(" ", "-"))
    if len(runs) > 1:
        parts.append(f"ensemble-of-{len(runs)}-{ensemble_digest(runs)}")
    return "-".join(parts)


def figures_for_header(evaluation: Evaluation) -> dict[str, Any]:
    """Return the figures of the test split that a classifier file's header holds."""
    figures = evaluation.to_json()
    names = ("num_images", "accuracy", "accuracy_interval", "loss", "macro_f1")
    return {name: figures[name] for name in names}


def evaluation_title(data: str, split: str, views: Sequence[int]) -> str:
    """Return a title such as ``mnist, test split, ensemble of 3 runs, nine views of each image``.

    Args:
        data: the data set's name.
        split: the name of the split.
        views: for each run, the number of views of an image that it averages over.
    """
    parts = [data, f"{split} split"]
    if len(views) > 1:
        parts.append(f"ensemble of {len(views)} runs")
    if max(views) > 1:
        parts.append(f"{views_in_words(views)} views of each image")
    return ", ".join(parts)


def require_place_for_evaluation(folder: Path, further_files: Sequence[str] = ()) -> None:
    """Refuses a folder that holds anything but an earlier evaluation, above all a run.

    Args:
        folder: the folder, which need not exist.
        further_files: the names of files that an evaluation may have besides report and figures.

    Raises:
        RunError: such a folder, or one that cannot be listed.
    """
    own = RunFolder(folder)
    own_names = {own.report_file.name, own.evaluation_file.name, *further_files}
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
