"""``explain --check``: whether the heat maps of a run's classifier are worth looking at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tellapart.errors import RunError
from tellapart.explanation.check import check_methods
from tellapart.explanation.check_page import render_check
from tellapart.explanation.checked import MapCheck
from tellapart.explanation.methods import METHODS, ChosenMethods, Method
from tellapart.files import make_folder, write_whole
from tellapart.models.classifier import Classifier
from tellapart.runs.trained_run import TrainedRun

CHECK_PAGE = "explanation-check.html"


def check_maps(run: TrainedRun, classifier: Classifier, chosen: ChosenMethods) -> MapCheck:
    """Check the maps of the chosen methods, and name those that this network does not allow.

    Args:
        run: with its data.
        classifier: the run's, on its device.
        chosen: the methods of the request.

    Raises:
        RunError: a run without a test split, or whose data is missing or has changed.
        ConfigError: fewer test images than a check needs.
    """
    test = run.splits.get("test") if run.folder else None
    if test is None:
        raise RunError(
            f"run {run.path} has no test split, on which --check could measure; train with "
            "data.test_fraction above 0, or leave out --check"
        )
    methods = _with_impossible(chosen)
    return check_methods(
        classifier,
        test.images,
        methods,
        run.session.callbacks.progress_of("checking heat maps, step"),
    )


def write_check(folder: Path, run: TrainedRun, check: MapCheck) -> Path:
    """Write the page of a check into a folder, whole or not at all; return its path.

    Raises:
        RunError: a folder or a file that cannot be written.
    """
    title = f"{run.data.name} · {run.path.resolve().name}"
    origin = {
        "run": str(run.path),
        "network": run.classifier.spec.network,
        "checked images": check.num_images,
        "of test images": check.num_test_images,
        "images for random weights": check.num_randomized_images,
    }
    page = folder / CHECK_PAGE
    make_folder(folder)
    write_whole(page, render_check(check, title=title, origin=origin))
    return page


def _with_impossible(chosen: ChosenMethods) -> Sequence[Method]:
    """The chosen methods, and those that were left out because no layer has positions."""
    if chosen.layer is not None:
        return chosen.methods
    left_out = (method for method in METHODS.values() if method.needs_positions)
    return (*chosen.methods, *left_out)
