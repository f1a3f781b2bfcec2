"""What training starts from when it does not start from zero: a source, fitted to the data."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.config import FinetuningRecipe, ModelRecipe, Recipe
from tellapart.data.image_set import ImageSet
from tellapart.errors import ConfigError, RunError
from tellapart.finetuning.freezing import FineTuning
from tellapart.finetuning.pretrained import PREFIX, load_pretrained
from tellapart.finetuning.prototypes import set_prototypes
from tellapart.finetuning.transfer import (
    ImageNetwork,
    TensorTransfer,
    fit_normalization,
    transfer_weights,
)
from tellapart.models.checkpoint import read_classifier, save_classifier, weights_sha256
from tellapart.models.classifier import Classifier, Normalization
from tellapart.runs.folder import RunFolder, SourceReference, source_of
from tellapart.runtime import Runtime, place
from tellapart.workflow.predict import open_classifier


@dataclass(frozen=True)
class Source:
    """A trained classifier to start from; ``is_start`` where it is a run's own, fitted already."""

    reference: SourceReference
    classifier: Classifier
    is_start: bool = False

    def normalization(self, channels: int) -> Normalization:
        """The source's, for pictures of ``channels``."""
        return fit_normalization(self.classifier.normalization, channels)


@dataclass(frozen=True)
class Start:
    """What fine-tuning begins with, and what of it training is going to change.

    ``classifier`` holds the weights as they are before the first step, whatever training does;
    ``transfers`` says of every tensor whether it was loaded, adapted or is new; it is empty where a
    run goes on. ``fraction_trained`` is the share of the network's numbers that is ever trained.
    """

    reference: SourceReference
    classifier: Classifier
    transfers: tuple[TensorTransfer, ...]
    stages: tuple[str, ...]
    freezing: int | str
    fraction_trained: float

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` adds for a fine-tuned run."""
        return {
            "source": self.reference.source,
            "source_sha256": self.reference.weights_sha256,
            "freezing": self.freezing,
            "fraction_trained": self.fraction_trained,
        }


def find_source(recipe: Recipe, run: RunFolder | None) -> Source | None:
    """The classifier that a recipe starts from; None where it starts from zero.

    Args:
        recipe: its ``finetuning`` says where to look.
        run: one to go on with; it has kept what it began with, so its source may be gone.

    Raises:
        ConfigError: settings of fine-tuning without a source, or a source that is none.
        RunError: a run that is not finished, or a source that has changed since the run began.
        ClassifierFileError: a file that is no classifier.
    """
    tuning = recipe.finetuning
    if not tuning.source:
        _require_nothing_to_tune(recipe)
        return None
    if run is not None and run.start_file.exists():
        return Source(run.read_source(), read_classifier(run.start_file)[0], is_start=True)
    classifier = _open(tuning)
    reference = SourceReference(
        _absolute(tuning.source), weights_sha256(classifier.network.state_dict())
    )
    if run is not None and run.read_source().weights_sha256 != reference.weights_sha256:
        raise RunError(
            f"the source {tuning.source} has changed since run {run.path} began with it; "
            "put the old one back, or train a new run"
        )
    return Source(reference, classifier)


def with_source(recipe: Recipe, source: Source) -> Recipe:
    """The recipe with the source's network, and the source's place as it can be found anywhere.

    Raises:
        ConfigError: a recipe that asks for another network.
    """
    classifier, model = source.classifier, recipe.model
    if model.network not in (classifier.network_name, ModelRecipe().network):
        raise ConfigError(
            f"fine-tuning keeps the network of its source, {classifier.network_name!r}, and the "
            f"recipe asks for {model.network!r}; leave out model.network"
        )
    return replace(
        recipe,
        model=replace(model, network=classifier.network_name, arguments=classifier.arguments),
        finetuning=replace(recipe.finetuning, source=source.reference.source),
    )


def start_from(
    source: Source, classifier: Classifier, train: ImageSet, recipe: Recipe, runtime: Runtime
) -> Start:
    """Loads the source's weights into a classifier built for the data, in place.

    Raises:
        ConfigError: a network without an output layer, other classes where the output layer is to
            be kept, or a freezing or rank that does not fit the network.
    """
    tuning, settings = recipe.finetuning, recipe.training
    keeps_head = tuning.head == "source"
    if keeps_head and source.classifier.class_names != classifier.class_names:
        raise ConfigError(
            f"finetuning.head=source needs the source's classes "
            f"({', '.join(source.classifier.class_names[:5])}, ...), the data has "
            f"{', '.join(classifier.class_names[:5])}, ...; set finetuning.head=new"
        )
    transfers = transfer_weights(
        ImageNetwork(source.classifier.network, source.classifier.image_shape),
        ImageNetwork(classifier.network, classifier.image_shape),
        keep_output=keeps_head or source.is_start,
    )
    if tuning.head == "prototype" and not source.is_start:
        set_prototypes(place(classifier, runtime), train, runtime.device)
    # On a copy: this says what will be frozen, and refuses what cannot be, before anything starts.
    plan = FineTuning(
        copy.deepcopy(classifier.network), tuning, num_epochs=settings.epochs, seed=settings.seed
    )
    return Start(
        source.reference,
        classifier.with_network(copy.deepcopy(classifier.network)),
        () if source.is_start else tuple(transfers),
        tuple(stage.name for stage in plan.stages),
        tuning.freezing,
        plan.fraction_trained,
    )


def save_start(run: RunFolder, start: Start) -> None:
    """Keeps what fine-tuning begins with in the run, so that resuming needs no source.

    Raises:
        RunError: where the file cannot be written.
    """
    save_classifier(run.start_file, start.classifier, {"finetuned_from": asdict(start.reference)})


def _open(tuning: FinetuningRecipe) -> Classifier:
    if tuning.source.startswith(PREFIX):
        weights = Path(tuning.weights_file) if tuning.weights_file else None
        return load_pretrained(tuning.source.removeprefix(PREFIX), weights)
    path = Path(tuning.source).expanduser()
    if not path.exists():
        raise ConfigError(
            f"the source {tuning.source!r} is no run, no classifier file and no timm:NAME; "
            "a run is the folder that `tellapart train` prints"
        )
    return open_classifier(path)


def _absolute(source: str) -> str:
    return source if source.startswith(PREFIX) else source_of(Path(source))


def _require_nothing_to_tune(recipe: Recipe) -> None:
    tuned = recipe.finetuning != FinetuningRecipe()
    if tuned or recipe.data.normalization == "source":
        what = "[finetuning]" if tuned else "data.normalization=source"
        raise ConfigError(
            f"the recipe's {what} needs a source to start from; "
            "use `tellapart finetune SOURCE DATA`, or set finetuning.source"
        )
