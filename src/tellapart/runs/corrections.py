"""The corrected labels of a run: read from a person's file once, then kept in the run's folder."""

from __future__ import annotations

from pathlib import Path

from tellapart.config import DataRecipe, Recipe
from tellapart.data.image_set import DataSet
from tellapart.data.sets.corrections import correct_labels, corrections_text, read_corrections
from tellapart.errors import DataError, RunError
from tellapart.files import expand_home
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import RunFolder


def corrected(data_set: DataSet, file: str | Path | None) -> DataSet:
    """Return the data set with its labels corrected by a file, if one is given.

    Raises:
        DataError: a file that cannot be read or is no file of corrections, or a row that does not
            fit the data.
    """
    return correct_labels(data_set, read_corrections(file)) if file else data_set


def corrected_as_kept(
    data_set: DataSet, run: RunFolder, asked: DataRecipe, callbacks: Callbacks
) -> DataSet:
    """Return the data set with the corrections that a run began with.

    The run does not depend on the person's file; where that has come to mean other labels, a
    warning tells so.

    Args:
        data_set: as it was loaded.
        run: keeps the corrections.
        asked: of the run's recipe.
        callbacks: receive the warning.

    Raises:
        RunError: a run that has lost its corrections, or data whose labels have changed.
    """
    if not asked.corrections:
        return data_set
    kept = run.corrections_file
    if not kept.is_file():
        raise RunError(
            f"run {run.path} was begun with corrected labels and lacks its {kept.name}; put the "
            "file back, or train a new run"
        )
    try:
        result = corrected(data_set, kept)
    except DataError as error:
        raise RunError(
            f"the labels of the data of run {run.path} have changed since it began: {error}"
        ) from None
    if Path(asked.corrections).is_file() and not _means(asked.corrections, data_set, result):
        callbacks.warn(
            f"{asked.corrections} has changed since run {run.path} began, which keeps the labels "
            f"of that time ({kept}); train a new run for the new ones"
        )
    return result


def kept_text(data_set: DataSet) -> str:
    """Return what a run keeps: the changes that were made to the labels of its data."""
    return corrections_text(data_set.corrections, by_path=bool(data_set.files))


def with_absolute_corrections(recipe: Recipe) -> Recipe:
    """Return the recipe with the absolute path of its file of corrections, if it names one."""
    file = recipe.data.corrections
    if not file:
        return recipe
    return recipe.with_settings({"data.corrections": str(expand_home(file).absolute())})


def _means(file: str, data_set: DataSet, result: DataSet) -> bool:
    """Whether a file makes the same corrections as were made in ``result``."""
    try:
        return corrected(data_set, file).fingerprint == result.fingerprint
    except DataError:
        return False
