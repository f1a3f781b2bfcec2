"""Class probabilities of every image, by classifiers that were not trained on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.evaluation import predict_logits
from tellapart.finetuning.features import cached_features
from tellapart.finetuning.linear_layer import fit_linear
from tellapart.finetuning.output_layer import fit_output_layer, is_computed
from tellapart.finetuning.stages import output_layer
from tellapart.finetuning.start import Source, Start, start_from
from tellapart.models.classifier import Classifier
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.planning import build_classifier, teacher_of
from tellapart.runtime import Runtime, generator, place
from tellapart.training.balance import fit_weights
from tellapart.training.trainer import Trainer
from tellapart.trust.labels.folds import NUM_FOLDS

_Floats = NDArray[np.float64]
# Returns the logits of image sets by a classifier trained on some images of train.
_Fitted = Callable[[Tensor], Callable[[str, Tensor | None], Tensor]]


@dataclass(frozen=True)
class CrossValidation:
    """The recipe of a cross-validation, and what it trains with.

    Args:
        data_set: has ``train``; the other splits are only predicted.
        recipe: how each of the classifiers is trained.
        source: what they start from; None for training from zero.
        runtime: device and precision.
        callbacks: receive the progress.
        own_network: the location of a person's own network, as it was typed.
    """

    data_set: DataSet
    recipe: Recipe
    source: Source | None
    runtime: Runtime
    callbacks: Callbacks
    own_network: str | None = None

    def probabilities(self, folds: Tensor) -> dict[str, _Floats]:
        """Return by split the class probabilities of each image, float64 (images, classes).

        An image of train has those of the classifier that was trained on the other folds, or no
        numbers (NaN) where it is in no fold. An image of another split has the mean of all
        classifiers.

        Args:
            folds: int64 (images of train,), from 0 on; below 0 for images that are always trained
                on.
        """
        train = self.data_set.split("train")
        others = [name for name in self.data_set.splits if name != "train"]
        found = {
            name: np.zeros((len(part), train.num_classes))
            for name, part in self.data_set.splits.items()
        }
        found["train"][:] = np.nan
        fit = self._by_features() if self._needs_features_only() else self._by_training()
        for fold in range(NUM_FOLDS):
            self.callbacks.note(f"labels: fold {fold + 1} of {NUM_FOLDS}")
            held_out = (folds == fold).nonzero().flatten()
            predict = fit((folds != fold).nonzero().flatten())
            if len(held_out):
                found["train"][held_out.numpy()] = _softmax(predict("train", held_out))
            for name in others:
                found[name] += _softmax(predict(name, None)) / NUM_FOLDS
        return found

    def _needs_features_only(self) -> bool:
        """Whether only an output layer is computed, so that features are computed once."""
        return self.recipe.training.epochs == 0 and self.recipe.finetuning.head == "linear"

    def _by_features(self) -> _Fitted:
        """Fit an output layer to the features of some images; features do not depend on labels."""
        train = self.data_set.split("train")
        classifier = place(self._start(self._classifier(train)).classifier, self.runtime)
        features = {
            name: cached_features(
                classifier,
                part.images,
                self.runtime,
                progress=self.callbacks.progress_of("computing features"),
            )
            for name, part in self.data_set.splits.items()
        }
        weights = _weights(train, self.recipe)

        def fit(kept: Tensor) -> Callable[[str, Tensor | None], Tensor]:
            drawn = generator(self.recipe.training.seed, "folds")
            labels = train.labels.cpu()[kept]
            layer = fit_linear([features["train"][kept]], labels, weights, drawn)

            def predict(split: str, indices: Tensor | None) -> Tensor:
                given = features[split] if indices is None else features[split][indices]
                return given @ layer.weight.T + layer.bias

            return predict

        return fit

    def _by_training(self) -> _Fitted:
        """Train a classifier by the recipe on some images."""
        whole = self.data_set.split("train")

        def fit(kept: Tensor) -> Callable[[str, Tensor | None], Tensor]:
            classifier = self._trained(whole.select(kept.to(whole.labels.device)))

            def predict(split: str, indices: Tensor | None) -> Tensor:
                images = self.data_set.split(split).images
                return predict_logits(
                    classifier,
                    images if indices is None else images[indices.to(images.device)],
                    device=self.runtime.device,
                    autocast=self.runtime.autocast,
                )

            return predict

        return fit

    def _trained(self, train: ImageSet) -> Classifier:
        # Nothing is validated: an epoch chosen by held-out images would have seen their labels.
        settings = self.recipe.training
        batch_size = min(settings.batch_size, len(train))
        recipe = replace(self.recipe, training=replace(settings, patience=0, batch_size=batch_size))
        classifier = self._classifier(train)
        start = self._start(classifier) if self.source else None
        trainer = Trainer(classifier, train, None, recipe, self.runtime, teacher_of(recipe))
        if start is not None and is_computed(recipe):
            fit_output_layer(
                start.classifier,
                train,
                recipe,
                self.runtime,
                class_weights=fit_weights(train, recipe.training),
                progress=self.callbacks.progress_of("computing features"),
            )
            trainer.set_output_layer(output_layer(start.classifier.network).state_dict())
        for _ in trainer.epochs():
            pass
        return trainer.classifier

    def _classifier(self, train: ImageSet) -> Classifier:
        data_set = self.data_set
        return build_classifier(
            self.recipe,
            train,
            self.source,
            fit=data_set.fit,
            white_level=data_set.white_level,
            own=self.own_network,
        )

    def _start(self, classifier: Classifier) -> Start:
        assert self.source is not None
        return start_from(self.source, classifier, self.recipe)


def accuracy(data_set: DataSet, probabilities: Mapping[str, _Floats], split: str) -> float | None:
    """Return the fraction of a split's examined images whose given class is the most probable.

    None where no image was examined.
    """
    found = probabilities[split]
    examined = ~np.isnan(found).any(1)
    if not examined.any():
        return None
    labels = data_set.split(split).labels.cpu().numpy()
    return float((found[examined].argmax(1) == labels[examined]).mean())


def _softmax(logits: Tensor) -> _Floats:
    values: _Floats = logits.double().softmax(1).numpy()
    return values


def _weights(train: ImageSet, recipe: Recipe) -> Tensor:
    weights = fit_weights(train, recipe.training)
    return torch.ones(train.num_classes) if weights is None else weights.cpu()
