"""The initial weights of fine-tuning: those of a source, fitted to the data."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, replace
from typing import Any

from tellapart.config import ModelRecipe, Recipe
from tellapart.data.images.drawing import DrawingStyle
from tellapart.errors import ConfigError
from tellapart.finetuning.freezing import FineTuning
from tellapart.finetuning.transfer import (
    ImageNetwork,
    TensorTransfer,
    fit_normalization,
    transfer_weights,
)
from tellapart.models.classifier import Classifier
from tellapart.models.spec import Normalization


@dataclass(frozen=True)
class SourceReference:
    """The source that a run was fine-tuned from.

    Args:
        source: a path, ``imagenet`` or ``timm:NAME``.
        weights_sha256: the digest of its weights.
        style: the style of its training drawings; None if it was trained on other images.
        credits: whose published weights it began with, itself or by way of its own source; None if
            it began with none, or with those of ``timm:NAME``.
    """

    source: str
    weights_sha256: str
    style: DrawingStyle | None = None
    credits: str | None = None


@dataclass(frozen=True)
class Source:
    """A trained classifier to start from; ``is_start`` if it is a run's own, already fitted."""

    reference: SourceReference
    classifier: Classifier
    is_start: bool = False

    def normalization(self, channels: int) -> Normalization:
        """Return the source's normalisation for images of ``channels``."""
        return fit_normalization(self.classifier.spec.normalization, channels)


@dataclass(frozen=True)
class Start:
    """The initial classifier of fine-tuning, and which of its weights are trained.

    ``classifier`` is a copy with the weights before the first step. ``transfers`` lists for every
    tensor whether it was loaded, adapted or is new; it is empty for a resumed run.
    ``fraction_trained`` is the fraction of the network's weights that is ever trained.
    """

    reference: SourceReference
    classifier: Classifier
    transfers: tuple[TensorTransfer, ...]
    stages: tuple[str, ...]
    freezing: int | str
    fraction_trained: float

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` adds for a fine-tuned run."""
        return {
            "source": self.reference.source,
            "source_sha256": self.reference.weights_sha256,
            "freezing": self.freezing,
            "fraction_trained": self.fraction_trained,
        }

    def plan_to_json(self) -> dict[str, Any]:
        """Return what ``--dry-run --json`` adds: the stages, and an entry for every tensor."""
        return {
            **self.to_json(),
            "stages": list(self.stages),
            "transfers": [asdict(entry) for entry in self.transfers],
        }


def with_source(recipe: Recipe, source: Source) -> Recipe:
    """Return the recipe with the source's network, and the absolute path of the source.

    Raises:
        ConfigError: a recipe that asks for another network.
    """
    classifier, model = source.classifier, recipe.model
    if model.network not in (classifier.spec.network, ModelRecipe().network):
        raise ConfigError(
            f"fine-tuning keeps the network of its source, {classifier.spec.network!r}, and the "
            f"recipe asks for {model.network!r}; leave out model.network"
        )
    return replace(
        recipe,
        model=replace(model, network=classifier.spec.network, arguments=classifier.spec.arguments),
        finetuning=replace(recipe.finetuning, source=source.reference.source),
    )


def start_from(source: Source, classifier: Classifier, recipe: Recipe) -> Start:
    """Loads the source's weights into a classifier built for the data, in place.

    An output layer that is computed from the images (`tellapart.finetuning.output_layer`) is
    computed later, when the run begins.

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
    # On a copy: this determines and checks the frozen stages before training starts.
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
