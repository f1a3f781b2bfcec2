"""A trained run with its classifier, recipe, data and results."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from tellapart.config import Recipe, recipe_from_mapping
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.errors import RunError, TellapartError
from tellapart.evaluation import Evaluation
from tellapart.models.checkpoint import read_classifier
from tellapart.models.classifier import Classifier
from tellapart.runs.calibration import HeldOutAnswers
from tellapart.runs.data import load_trained_on
from tellapart.runs.drawings import correct_drawings
from tellapart.runs.folder import DataReference, RunFolder, find_classifier_file, source_of
from tellapart.runs.session import Session
from tellapart.runs.splits import run_splits


class TrainedRun:
    """A finished run, or a classifier file alone; made by :func:`open_run`.

    The classifier is read when the run is opened, its data when ``splits`` is first used.

    Args:
        path: the run's folder, or the classifier file.
        session: data folder, own network and callbacks.
        place: the new path of the run's data, if it was moved.
        corrections: a file of corrected labels to use in place of the run's own.

    Raises:
        RunError, ClassifierFileError: as :func:`open_run`.

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> run = tellapart.TrainedRun(tellapart.train(settings=quick).run, tellapart.Session())
    >>> run.recipe.model.network, sorted(run.splits)
    ('single-conv', ['test', 'train'])
    """

    def __init__(
        self,
        path: Path,
        session: Session,
        place: str | Path | None = None,
        corrections: str | Path | None = None,
    ) -> None:
        self.path = path
        self.session = session
        self._place = place
        self._corrections = corrections
        self._file = find_classifier_file(path)
        self.classifier: Classifier
        self.training: Mapping[str, Any]
        self.classifier, self.training = read_classifier(self._file, session.network)

    @property
    def folder(self) -> RunFolder:
        """The run's files.

        Raises:
            RunError: for a classifier file alone.
        """
        if self.path.is_file():
            raise RunError(
                f"{self.path} is a classifier file without its run; give the run's folder, which "
                "knows its data and its recipe"
            )
        return RunFolder(self.path)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that the run was trained by.

        Raises:
            RunError: a classifier file that does not hold its recipe, or a damaged run.
        """
        if not self.path.is_file():
            return self.folder.read_recipe()
        tables = self.training.get("recipe")
        if not isinstance(tables, Mapping):
            raise RunError(f"{self.path} does not hold the recipe that it was trained by")
        return recipe_from_mapping(tables, origin=str(self.path))

    @cached_property
    def data(self) -> DataReference:
        """The reference to the data that the run was trained on.

        Raises:
            RunError: a classifier file alone, or a damaged run.
        """
        return self.folder.read_data_reference()

    @cached_property
    def data_set(self) -> DataSet:
        """The data set that the run was trained on.

        Raises:
            RunError: data that is missing or has changed.
        """
        return self.load_data()

    @cached_property
    def splits(self) -> Mapping[str, ImageSet]:
        """The images that the run was trained, validated, calibrated and tested on, by split.

        ``train``, ``validation`` or ``calibration``, and ``test``, as far as the run has them, each
        with ``.images`` (uint8, (n, channels, height, width)) and ``.labels`` (int64, (n,)).

        Raises:
            RunError: data that is missing, or has changed since the run was trained.
        """
        return run_splits(self.data_set, self.recipe)

    @cached_property
    def held_out_answers(self) -> HeldOutAnswers:
        """The network's logits for the images that the run was calibrated on, and their labels.

        Raises:
            RunError: a classifier file alone, which does not hold them, or a run that is not
                calibrated.
            ClassifierFileError: a damaged file.
        """
        if self.path.is_file():
            raise RunError(
                f"{self.path} is a classifier file without its run, which holds the answers that "
                "sets and probabilities are calibrated on; give the run's folder"
            )
        file = self.folder.calibration_file
        if not file.exists():
            raise RunError(
                f"run {self.path} has no images that it was not trained on, on which sets and "
                "probabilities are calibrated; train it with --set data.validation_fraction=0.1, "
                "or on at least 2,000 images"
            )
        return HeldOutAnswers.read(file)

    @property
    def report(self) -> Path:
        """The path of the HTML report of the test split."""
        return self.folder.report_file

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The figures of the test split; None if the data has none.

        Raises:
            RunError: a damaged file.
        """
        file = self.folder.evaluation_file
        return Evaluation.from_json(self.folder.read_json(file)) if file.exists() else None

    def load_data(self, *, allow_download: bool = True) -> DataSet:
        """Load :attr:`data_set` again.

        Raises:
            RunError: data that is missing or has changed.
        """
        loaded = load_trained_on(
            self.data,
            self.recipe.data,
            self.classifier.spec,
            self.session,
            run=self.path,
            place=self._place,
            allow_download=allow_download,
            corrections=self._corrections,
        )
        if self.recipe.data.drawings == "as-is":
            return loaded
        style = self.folder.read_source().style
        return correct_drawings(loaded, style, loaded.splits, self.session).data_set

    def with_corrections(self, file: str | Path) -> TrainedRun:
        """Return the same run with labels corrected by another file than its own.

        The data is still recognised by the labels that the run was trained with.
        """
        return TrainedRun(self.path, self.session, self._place, file)

    def was_trained_on(self, data: str | Path) -> bool:
        """Whether the run was trained on ``data``, by its name or by its content.

        Data that was moved is recognised by its fingerprint, and read from there from then on.
        """
        source = source_of(data)
        if source == self.data.source:
            return True
        if source in CATALOGUE or self.data.source in CATALOGUE:
            return False
        moved = TrainedRun(self.path, self.session, data, self._corrections)
        try:
            self.__dict__["data_set"] = moved.data_set
        except TellapartError:
            return False
        self._place = data
        return True

    def shares_data_with(self, other: TrainedRun) -> bool:
        """Whether both runs have the same data with the same test split.

        The fingerprint of arrays does not cover a test split that is cut from them afterwards.
        """
        ours, theirs = self.recipe.data, other.recipe.data
        return self.data.fingerprint == other.data.fingerprint and (
            (ours.test_fraction, ours.split_seed) == (theirs.test_fraction, theirs.split_seed)
        )


def open_run(
    path: str | Path, *, session: Session | None = None, data: str | Path | None = None
) -> TrainedRun:
    """Opens a finished run, or a classifier file.

    Args:
        path: the folder that ``train`` printed, or a classifier file.
        session: device, data folder and callbacks; None is the default `Session`.
        data: the new path of the run's data, if it was moved.

    Returns:
        The run: its ``classifier``, ``recipe``, ``splits`` and ``report``.

    Raises:
        RunError: a folder that is not a run, or a run that is not finished.
        ClassifierFileError: a classifier file that is damaged.

    >>> import tellapart
    >>> result = tellapart.train(settings={"training.epochs": 1, "model.network": "single-conv"})
    >>> run = tellapart.open_run(result.run)
    >>> run.classifier.class_names[:3], len(run.splits["test"])
    (('0', '1', '2'), 1000)
    """
    return TrainedRun(Path(path), session or Session(), data)
