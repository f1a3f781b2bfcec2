"""``data check``: find the faults of a data set, and with ``labels`` its wrong labels."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tellapart.config import Recipe, Settings, load_recipe, typed_settings, with_corrections
from tellapart.data.image_set import DataSet
from tellapart.data.quality.audit import audit
from tellapart.data.quality.duplicates import near_groups
from tellapart.data.quality.findings import Audit
from tellapart.data.quality.warnings import mirroring_of
from tellapart.errors import ConfigError, RunError
from tellapart.files import expand_home, make_folder, write_whole
from tellapart.finetuning.start import with_source
from tellapart.report.audit_page import render_audit
from tellapart.runs.choosing import Wish, fit_to_images
from tellapart.runs.data import load_for_recipe
from tellapart.runs.session import Session
from tellapart.runs.source import find_source
from tellapart.trust.labels.check import LabelCheck, check_labels
from tellapart.trust.labels.cross_validation import CrossValidation
from tellapart.trust.labels.folds import NUM_FOLDS
from tellapart.trust.labels.page import render_labels

_LABEL_PAGE, _CORRECTIONS = "label_check.html", "corrections.csv"
# Small images are shifted by a pixel, and seen so often that some hundred steps are made of them:
# a classifier of a few seconds, which is trained once for each fold, and which does not see wrong
# labels so often that it learns them by heart.
_LARGEST_SMALL_SIDE, _NUM_STEPS = 48, 250
_FEWEST_EPOCHS, _MOST_EPOCHS, _BATCH_SIZE, _STEPS_AN_EPOCH = 8, 12, 128, 8


@dataclass(frozen=True)
class CheckResult:
    """The findings of a data set.

    Args:
        data_set: the data set.
        audit: the findings.
        page: the page that shows them; None where none was written.
        labels: the suspicious labels; None where they were not asked for.
        label_page: the page that shows those.
        corrections: the file that corrects them as suggested.
    """

    data_set: DataSet
    audit: Audit
    page: Path | None
    labels: LabelCheck | None = None
    label_page: Path | None = None
    corrections: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what ``data check --json`` prints: every finding with all its images and files."""
        names = self.data_set.class_names
        return {
            "data": self.data_set.name,
            "fingerprint": self.data_set.fingerprint,
            "has_leaks": self.audit.has_leaks,
            "class_counts": {
                split: dict(zip(names, part.class_counts(), strict=True))
                for split, part in self.data_set.splits.items()
            },
            "findings": [finding.to_json() for finding in self.audit.findings],
            "notes": list(self.data_set.notes),
            "page": str(self.page) if self.page else None,
            **self._labels_to_json(),
        }

    def _labels_to_json(self) -> dict[str, Any]:
        if self.labels is None:
            return {}
        return {
            **self.labels.to_json(),
            "label_page": str(self.label_page),
            "corrections": str(self.corrections),
        }


def check(
    data: str | Path,
    *,
    recipe: str | Path | Recipe | None = None,
    settings: Settings = (),
    corrections: str | Path | None = None,
    page: str | Path | None = None,
    labels: bool = False,
    out: str | Path | None = None,
    session: Session | None = None,
) -> CheckResult:
    """Examine a data set for unreadable files, odd classes and images, duplicates and leaks.

    With ``labels`` also for wrong labels: classifiers are trained by cross-validation, and labels
    that disagree with those that were not trained on the image are suspicious. Images of ``test``
    and ``validation`` are not trained on.

    Args:
        data: a folder, a ``.csv`` table, an ``.npz`` archive or a catalogue name.
        recipe: the recipe for training; None chooses one that suits the data.
        settings: changes to the recipe: values by key, or texts ``KEY=VALUE``.
        corrections: a file of corrected labels, as an earlier check has written it.
        page: the ``.html`` file to write with the findings and their images; None writes none.
        labels: whether to look for wrong labels; with a recipe that trains in seconds, unless one
            is given.
        out: the folder for ``label_check.html`` and ``corrections.csv``, neither of which may be
            there; None takes that of ``page``, or else a new folder ``checks/DATA-N``.
        session: data folder, device and callbacks; None is the default `Session`.

    Returns:
        The data set, the findings, and the paths of what was written.

    Raises:
        DataError: data that cannot be used at all.
        ConfigError: a wrong setting, or ``out`` without ``labels``.
        RunError: a ``page`` that is no ``.html`` file, files that are there already, or that cannot
            be written.

    >>> import tellapart
    >>> result = tellapart.check("mnist-sample")
    >>> result.audit.has_leaks, [finding.kind for finding in result.audit.findings]
    (False, [])
    """
    session = session or Session()
    written = _page_place(page)
    if out is not None and not labels:
        raise ConfigError(f"--out {out} is for what --labels writes; add --labels, or use --page")
    folder = _require_place(out, written) if labels else None
    settings = with_corrections(settings, corrections)
    wish = Wish("quick") if labels and recipe is None else None
    data_set, chosen = load_for_recipe(
        data, recipe, settings, session, holds_out_calibration=False, wish=wish
    )
    if labels:
        # Searched once, for the findings and for the folds.
        groups = {split: torch.from_numpy(g) for split, g in near_groups(data_set).items()}
        data_set = replace(data_set, near_groups=groups)
    found = audit(data_set, mirroring_of(chosen, data_set))
    if written:
        make_folder(written.parent)
        write_whole(written, render_audit(data_set, found))
    if not labels:
        return CheckResult(data_set, found, written)
    fitted = chosen if recipe is not None else _fitted(chosen, data_set, settings)
    suspicious = _check_labels(data_set, fitted, session)
    label_page, table = _write_labels(folder, data_set, suspicious)
    return CheckResult(data_set, found, written, suspicious, label_page, table)


def _page_place(page: str | Path | None) -> Path | None:
    path = expand_home(page) if page else None
    if path and (path.suffix != ".html" or path.is_dir()):
        raise RunError(f"the page must be an .html file, got {str(path)!r}; e.g. check.html")
    return path


def _require_place(out: str | Path | None, page: Path | None) -> Path | None:
    """The folder for the page of labels and the corrections; None for a new one.

    Raises:
        RunError: a folder with such files, which a person may have edited, or a file.
    """
    folder = expand_home(out) if out is not None else page.parent if page else None
    if folder is None:
        return None
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, and --out is a folder; choose another --out")
    for name in (_CORRECTIONS, _LABEL_PAGE):
        if os.path.lexists(folder / name):
            raise RunError(
                f"{folder / name} is there already and is left as it is, because you may have "
                "edited it; choose another --out, or move it away"
            )
    if page and page.name == _LABEL_PAGE and page.parent == folder:
        raise RunError(f"{page} is the name of the page of labels; call --page otherwise")
    return folder


def _fitted(chosen: Recipe, data_set: DataSet, settings: Settings) -> Recipe:
    """The recipe that was chosen, fitted to the number of images that a fold is trained on."""
    train, given = data_set.split("train"), typed_settings(settings)
    num_images = len(train) * (NUM_FOLDS - 1) // NUM_FOLDS
    if chosen.name == "small-data" and min(train.image_shape[1:]) <= _LARGEST_SMALL_SIDE:
        batch_size = max(2, min(_BATCH_SIZE, num_images // _STEPS_AN_EPOCH))
        epochs = _NUM_STEPS * batch_size // max(1, num_images)
        own = {
            "training.epochs": max(_FEWEST_EPOCHS, min(epochs, _MOST_EPOCHS)),
            "training.batch_size": batch_size,
            "augmentation.shift_pixels": 1.0,
        }
        given = {**own, **given}
        chosen = replace(load_recipe("fast").with_settings(given), data=chosen.data)
    return fit_to_images(chosen, train.select(torch.arange(num_images)), given)[0]


def _check_labels(data_set: DataSet, recipe: Recipe, session: Session) -> LabelCheck:
    source = find_source(recipe, None, session.network)
    if source:
        recipe = with_source(recipe, source)
    with session.limited_threads():
        runtime = session.runtime(recipe.training.precision)
        validation = CrossValidation(
            data_set, recipe, source, runtime, session.callbacks, session.network
        )
        return check_labels(validation)


def _write_labels(folder: Path | None, data_set: DataSet, found: LabelCheck) -> tuple[Path, Path]:
    """Writes the corrections, then the page that speaks of them."""
    if folder is None:
        folder = _new_folder(data_set.name)
    make_folder(folder)
    table, page = folder / _CORRECTIONS, folder / _LABEL_PAGE
    _require_place(folder, None)
    write_whole(table, found.corrections_text())
    write_whole(page, render_labels(data_set, found, table.name))
    return page, table


def _new_folder(name: str) -> Path:
    stem = re.sub(r"[^\w.-]+", "-", name)
    number = 1
    while (folder := Path("checks") / f"{stem}-{number}").exists():
        number += 1
    return folder
