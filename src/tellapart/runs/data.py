"""Opening and loading data sets in the form that a recipe or a classifier requires."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tellapart.config import DataRecipe, Recipe, Settings
from tellapart.data.image_set import DataSet
from tellapart.data.preparation import Preparation
from tellapart.data.selection import select_classes
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.data.sets.source import OpenedSource
from tellapart.data.sets.sources import open_source
from tellapart.errors import ConfigError, RunError
from tellapart.models.spec import ClassifierSpec
from tellapart.runs.choosing import Wish, choose_recipe
from tellapart.runs.corrections import corrected, corrected_as_kept
from tellapart.runs.folder import DataReference, RunFolder
from tellapart.runs.session import Session


def open_data(data: str | Path, session: Session, *, allow_download: bool = True) -> OpenedSource:
    """Opens a data set, downloading it if needed; its images are not read yet.

    Raises:
        DataError: data that cannot be used.
    """
    opened = open_source(
        data,
        data_dir=Path(session.data_dir) if session.data_dir else None,
        allow_download=allow_download,
        progress=lambda done, total: session.callbacks.on_download(str(data), done, total),
    )
    for warning in opened.warnings:
        session.callbacks.warn(warning)
    return opened


def load_for_recipe(
    data: str | Path,
    recipe: str | Path | Recipe | None,
    settings: Settings,
    session: Session,
    *,
    holds_out_calibration: bool = True,
    wish: Wish | None = None,
) -> tuple[DataSet, Recipe]:
    """Loads a data set as training would, by ``recipe`` or by a recipe that suits the data.

    Args:
        data: a catalogue name or a path.
        recipe: a name, a file or a recipe; None chooses one.
        settings: changes to the recipe.
        session: data folder and callbacks.
        holds_out_calibration: whether images of train are held out for calibration, if the recipe
            does; an audit looks at the splits as they were given.
        wish: what is asked for in place of a recipe.

    Raises:
        DataError: data that cannot be used.
        ConfigError: an unknown recipe, a wrong setting, or a size or channels for images that are
            arrays and have a form already.
    """
    opened = open_data(data, session)
    chosen, _ = choose_recipe(recipe, opened, settings, wish or Wish())
    asked = chosen.data
    if not holds_out_calibration:
        asked = replace(asked, calibration_fraction=0.0)
    return load_opened(opened, asked, session), chosen


def load_opened(
    opened: OpenedSource, asked: DataRecipe, session: Session, run: RunFolder | None = None
) -> DataSet:
    """Loads an opened data set in the form and with the splits that a recipe requires.

    Args:
        opened: the data set.
        asked: its form and splits, and the file of corrected labels.
        session: its callbacks receive the progress.
        run: a run to resume, which has its own corrections.

    Raises:
        DataError: data or corrections that cannot be used.
        RunError: a run whose corrections are lost, or no longer fit the data.
        ConfigError: a size or channels for images that have a form already.
    """
    data_set = opened.load(preparation_of(asked), session.callbacks.on_decoding)
    if run is None:
        data_set = corrected(data_set, asked.corrections)
    else:
        data_set = corrected_as_kept(data_set, run, asked, session.callbacks)
    channels, height, width = data_set.split("train").image_shape
    if asked.channels not in (0, channels) or (asked.size and asked.size not in (height, width)):
        raise ConfigError(
            f"{data_set.name} holds images of {width}x{height} with {channels} channel(s), as "
            "they are; data.size and data.channels are for image files: leave them out"
        )
    return data_set


def load_trained_on(
    reference: DataReference,
    asked: DataRecipe,
    spec: ClassifierSpec,
    session: Session,
    *,
    run: Path,
    place: str | Path | None = None,
    allow_download: bool = True,
    corrections: str | Path | None = None,
) -> DataSet:
    """Loads the data set that a run was trained on, in the same form and with the same splits.

    Args:
        reference: where the run's images came from, and their fingerprint.
        asked: the ``data`` section of the run's recipe.
        spec: of the run's classifier; image files are converted to its input form.
        session: its data folder is searched for files of the catalogue.
        run: the run's folder, for error messages.
        place: the new path of the images, if they were moved.
        allow_download: whether files of the catalogue may be fetched.
        corrections: a file of corrected labels to use in place of the run's own.

    Raises:
        RunError: data that is missing, or has changed since the run was trained.
        DataError: data that cannot be read.
    """
    found = session.data_dir or (Path(reference.data_dir) if reference.data_dir else None)
    source = reference.source if place is None else place
    if place is None and source not in CATALOGUE and not Path(source).exists():
        raise RunError(
            f"the data of run {run} is gone: there is no {source}; if it was moved, give its new "
            f"place as DATA, e.g. `tellapart evaluate {run} NEW-PLACE`"
        )
    opened = open_data(source, replace(session, data_dir=found), allow_download=allow_download)
    # The form is the classifier's; choosing it anew might give another one.
    channels, height, width = spec.image_shape
    preparation = replace(
        preparation_of(asked),
        channels=channels,
        height=height,
        width=width,
        fit=spec.fit,
        white_level=spec.white_level,
    )
    loaded = opened.load(preparation, session.callbacks.on_decoding)
    data_set = corrected_as_kept(loaded, RunFolder(run), asked, session.callbacks)
    if data_set.fingerprint != reference.fingerprint:
        raise RunError(
            f"the data of run {run} has changed since it was trained ({source}): fingerprint "
            f"{reference.fingerprint[:12]} -> {data_set.fingerprint[:12]}; put the old images "
            "back, or evaluate on what is there now by giving its path as DATA"
        )
    if corrections is not None:
        data_set = corrected(loaded, corrections)
    return select_classes(data_set, asked.classes)


def load_foreign(
    data: str | Path,
    spec: ClassifierSpec,
    split: str,
    session: Session,
    corrections: str | Path | None = None,
) -> DataSet:
    """Loads data that a classifier was not trained on, in the input form of the classifier.

    Image files without splits all go into ``split``, undivided.

    Raises:
        DataError: data or corrections that cannot be used, or has other classes or another form.
    """
    channels, height, width = spec.image_shape
    preparation = Preparation(
        channels=channels,
        height=height,
        width=width,
        fit=spec.fit,
        white_level=spec.white_level,
        test_fraction=0.0,
        undivided=split,
        class_names=spec.class_names,
    )
    opened = open_data(data, session)
    return corrected(opened.load(preparation, session.callbacks.on_decoding), corrections)


def preparation_of(recipe: DataRecipe) -> Preparation:
    """Return how a recipe prepares image files and divides data that comes without splits."""
    return Preparation(
        channels=recipe.channels,
        height=recipe.size,
        width=recipe.size,
        fit=recipe.fit,
        test_fraction=recipe.test_fraction,
        validation_fraction=recipe.validation_fraction,
        calibration_fraction=recipe.calibration_fraction,
        seed=recipe.split_seed,
        near_duplicates=recipe.near_duplicates,
        group_by=recipe.group_by,
    )
