"""Finding the classifier that fine-tuning starts from: a run, a file, or published weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tellapart.config import FinetuningRecipe, Recipe
from tellapart.errors import ConfigError, RunError
from tellapart.finetuning.imagenet import CREDITS, load_imagenet
from tellapart.finetuning.imagenet import NAME as IMAGENET
from tellapart.finetuning.pretrained import PREFIX, load_pretrained
from tellapart.finetuning.start import Source, SourceReference, Start
from tellapart.models.checkpoint import (
    load_classifier,
    read_classifier,
    save_classifier,
    weights_sha256,
)
from tellapart.models.classifier import Classifier
from tellapart.runs.folder import RunFolder, find_classifier_file, source_of


def find_source(recipe: Recipe, run: RunFolder | None, network: str | None = None) -> Source | None:
    """Return the classifier that fine-tuning starts from; None if training starts from zero.

    Args:
        recipe: its ``finetuning.source`` is a run, a classifier file, ``imagenet`` or a
            ``timm:NAME``.
        run: a run to resume; it keeps its initial weights, so the source may be gone.
        network: the location of the source's network, if that is a person's own.

    Raises:
        ConfigError: settings of fine-tuning without a source, or an unknown source.
        RunError: a run that is not finished, or a source that has changed since the run began.
        ClassifierFileError: a file that is not a classifier.
    """
    tuning = recipe.finetuning
    if not tuning.source:
        _require_nothing_to_tune(recipe)
        return None
    if run is not None and run.start_file.exists():
        return Source(run.read_source(), load_classifier(run.start_file, network), is_start=True)
    classifier, credits = _open(tuning, network)
    reference = SourceReference(
        _absolute(tuning.source),
        weights_sha256(classifier.network.state_dict()),
        classifier.spec.style,
        credits,
    )
    if run is not None and run.read_source().weights_sha256 != reference.weights_sha256:
        raise RunError(
            f"the source {tuning.source} has changed since run {run.path} began with it; "
            "put the old one back, or train a new run"
        )
    return Source(reference, classifier)


def save_start(run: RunFolder, start: Start) -> None:
    """Saves the initial weights of fine-tuning in the run, so that resuming needs no source.

    Raises:
        RunError: a file that cannot be written.
    """
    save_classifier(run.start_file, start.classifier, {"finetuned_from": asdict(start.reference)})


def _open(tuning: FinetuningRecipe, network: str | None) -> tuple[Classifier, str | None]:
    """The source, and whose published weights it began with."""
    weights = Path(tuning.weights_file).expanduser() if tuning.weights_file else None
    if tuning.source == IMAGENET:
        return load_imagenet(weights), CREDITS
    if tuning.source.startswith(PREFIX):
        return load_pretrained(tuning.source.removeprefix(PREFIX), weights), None
    path = Path(tuning.source).expanduser()
    if not path.exists():
        raise ConfigError(
            f"the source {tuning.source!r} is no run, no classifier file, not {IMAGENET} and no "
            "timm:NAME; a run is the folder that `tellapart train` prints"
        )
    classifier, training = read_classifier(find_classifier_file(path), network)
    return classifier, _credits_of(training)


def _credits_of(training: Mapping[str, Any]) -> str | None:
    """The credits in the header of a classifier file, which may hold anything."""
    reference = training.get("finetuned_from")
    credits = reference.get("credits") if isinstance(reference, dict) else None
    return credits if isinstance(credits, str) else None


def _absolute(source: str) -> str:
    is_name = source == IMAGENET or source.startswith(PREFIX)
    return source if is_name else source_of(Path(source))


def _require_nothing_to_tune(recipe: Recipe) -> None:
    tuned = recipe.finetuning != FinetuningRecipe()
    wants = [key for key in ("normalization", "drawings") if getattr(recipe.data, key) == "source"]
    if tuned or wants:
        what = "[finetuning]" if tuned else f"data.{wants[0]}=source"
        raise ConfigError(
            f"the recipe's {what} needs a source to start from; "
            "use `tellapart finetune SOURCE DATA`, or set finetuning.source"
        )
