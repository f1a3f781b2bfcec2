"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from tellapart.config import Recipe
from tellapart.data.augment import augment
from tellapart.data.image_set import ImageSet
from tellapart.errors import ConfigError, DivergedError
from tellapart.evaluation import predict_logits
from tellapart.evaluation.metrics import confusion_matrix, precision_recall
from tellapart.finetuning.freezing import FineTuning
from tellapart.finetuning.output_layer import is_computed
from tellapart.finetuning.stages import output_layer
from tellapart.models.classifier import Classifier
from tellapart.runtime import Runtime, Stopwatch, derived_seed, generator, place
from tellapart.training.averaging import WeightAverage
from tellapart.training.balance import balanced_order, loss_weights, stop_metric
from tellapart.training.batches import batches_of, placed
from tellapart.training.early_stopping import EarlyStopping
from tellapart.training.objective import Objective, require_fit_teacher
from tellapart.training.optimizer import (
    build_optimizer,
    clear_gradients,
    decayed_weights,
    l1_penalty,
    set_learning_rate,
)
from tellapart.training.schedule import Schedule
from tellapart.training.state import (
    TrainingState,
    optimizer_state,
    refusing_misfits,
    restore_optimizer,
)
from tellapart.training.tally import Tally
from tellapart.training.torch_internals import take_step

# Called now and then inside an epoch with (images done, images in the epoch, mean loss so far).
StepCallback = Callable[[int, int, float], None]
# Reading the loss makes a GPU finish its queue first, so it is not read at every step.
_STEPS_BETWEEN_LOOKS = 20


@dataclass(frozen=True)
class EpochReport:
    """The figures of one epoch; one row of ``metrics.csv``.

    ``train_loss`` and ``train_accuracy`` are means over the epoch's batches, each measured just
    before its step, with dropout and augmentation on. Validation is measured after the epoch, by
    the classifier's own views. ``seconds`` is the training loop alone, without validation and
    saving.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    images_per_second: float
    validation_macro_f1: float | None = None

    def validated(self) -> dict[str, float]:
        """Return loss, accuracy and macro F1 of validation by these names, as far as measured."""
        figures = {
            "loss": self.validation_loss,
            "accuracy": self.validation_accuracy,
            "macro-f1": self.validation_macro_f1,
        }
        return {name: value for name, value in figures.items() if value is not None}


class Trainer:
    """Trains a classifier in place and yields a report per epoch.

    Everything random in epoch ``e`` is a function of (seed, e), so an epoch that is run again after
    a restart draws the same shuffle and the same dropout; with the weights and the optimizer state
    restored, the numbers that follow are the same bit for bit.

    Args:
        classifier: changed in place.
        train: images to train on.
        validation: images to choose by, or None.
        recipe: what to do.
        runtime: where to do it.
        teacher: a trained classifier to learn from as well, or None.

    Raises:
        ConfigError: a batch larger than the train split, a cost of an unknown class, or a teacher
            that does not fit.
    """

    def __init__(
        self,
        classifier: Classifier,
        train: ImageSet,
        validation: ImageSet | None,
        recipe: Recipe,
        runtime: Runtime,
        teacher: Classifier | None = None,
    ) -> None:
        settings = recipe.training
        # Without an epoch there is no batch: a linear layer by itself takes all images at once.
        if settings.epochs and settings.batch_size > len(train):
            raise ConfigError(
                f"batch_size {settings.batch_size} is larger than the train split "
                f"({len(train)} images); set training.batch_size to at most {len(train)}"
            )
        self.classifier = place(classifier, runtime)
        self.train = placed(train, runtime.device)
        self.validation = placed(validation, runtime.device) if validation else None
        self.stop_metric = stop_metric(settings.stop_on, train)
        self.recipe = recipe
        self.runtime = runtime
        self.finetuning = _finetuning(classifier.network, recipe)
        self.optimizer = build_optimizer(
            recipe.optimizer,
            classifier.network,
            self.finetuning.rate_factors() if self.finetuning else None,
            self.finetuning.undecayed() if self.finetuning else (),
        )
        self.schedule = Schedule(
            recipe.schedule,
            recipe.optimizer.learning_rate,
            steps_per_epoch=math.ceil(len(train) / settings.batch_size),
            num_epochs=settings.epochs,
        )
        if teacher is not None:
            require_fit_teacher(teacher, classifier)
        weights = loss_weights(train, settings)
        self.objective = Objective(
            settings.label_smoothing,
            recipe.distillation,
            teacher,
            runtime,
            weights.to(runtime.device) if weights is not None else None,
            settings.loss,
        )
        decay = recipe.averaging.decay
        self.average = WeightAverage(classifier.network, decay) if decay else None
        self.early_stopping = EarlyStopping(settings.patience)
        self.history: list[EpochReport] = []

    def set_output_layer(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Loads the output layer's weights, before the first epoch, into the average too."""
        for network in {self.classifier.network, self._kept_network()}:
            output_layer(network).load_state_dict(weights)

    def epochs(self, on_step: StepCallback | None = None) -> Iterator[EpochReport]:
        """Trains epoch after epoch until the recipe or early stopping ends it.

        Raises:
            DivergedError: a loss or a weight that is not finite; the weights are then useless.
        """
        if not self.history and is_computed(self.recipe):
            self._observe(0, self._validate(0))
        while not self.is_finished:
            epoch = len(self.history) + 1
            with Stopwatch(self.runtime) as watch:
                loss, accuracy = self._train_epoch(epoch, on_step)
            measured = self._validate(epoch)
            report = EpochReport(
                epoch,
                self.schedule.at(epoch * self.schedule.steps_per_epoch - 1),
                loss,
                accuracy,
                measured.get("loss"),
                measured.get("accuracy"),
                watch.elapsed_seconds,
                len(self.train) / watch.elapsed_seconds,
                measured.get("macro-f1"),
            )
            self._observe(epoch, measured)
            self.history.append(report)
            yield report
        best = {} if self._prefers_last() else self.early_stopping.best_weights
        self.classifier.network.load_state_dict(best or self._kept_network().state_dict())
        if self.finetuning:
            self.finetuning.finish()

    def _observe(self, epoch: int, measured: Mapping[str, float]) -> None:
        """Tells early stopping how good the weights after ``epoch`` are."""
        if measured:
            weights = self._kept_network().state_dict()
            self.early_stopping.observe(epoch, self._loss_like(measured), weights)

    def _loss_like(self, measured: Mapping[str, float]) -> float:
        """The figure that is watched, the lower the better."""
        value = measured[self.stop_metric]
        return value if self.stop_metric == "loss" else 1 - value

    def _prefers_last(self) -> bool:
        """Whether the last epoch is kept: without patience, unless the start was better."""
        if self.early_stopping.patience or not self.history:
            return False
        last = self.history[-1].validated()
        return not last or self._loss_like(last) <= self.early_stopping.best_loss

    @property
    def keeps_start(self) -> bool:
        """Whether no epoch was better on validation than the start of fine-tuning."""
        is_best = bool(self.early_stopping.best_weights) and self.early_stopping.best_epoch == 0
        return is_best and bool(self.history) and not self._prefers_last()

    def validation_accuracy(self) -> float | None:
        """Return the validation accuracy of the weights that were kept; None without validation."""
        if self.keeps_start or not self.history:
            return self._validate(0, self.classifier.network).get("accuracy")
        return self.history[self.early_stopping.best_epoch - 1].validation_accuracy

    @property
    def is_finished(self) -> bool:
        """Whether there is no epoch left to train."""
        done = len(self.history)
        return done >= self.recipe.training.epochs or self.early_stopping.should_stop(done)

    def _kept_network(self) -> nn.Module:
        """The network that is validated and in the end kept: the average where there is one."""
        return self.average.network if self.average else self.classifier.network

    def _num_frozen(self, epoch: int) -> int:
        """Stages that are frozen in ``epoch``; 0 where nothing is fine-tuned."""
        return self.finetuning.num_frozen(epoch) if self.finetuning and epoch else 0

    def _train_epoch(self, epoch: int, on_step: StepCallback | None) -> tuple[float, float]:
        """One pass over the train split; returns its mean loss and accuracy."""
        settings, device = self.recipe.training, self.runtime.device
        batches = torch.split(self._order(epoch).to(self.train.labels.device), settings.batch_size)
        first_step = (epoch - 1) * len(batches)
        tally = Tally(len(batches), device)
        variation = generator(settings.seed, "augmentation", epoch, device=device)
        self.classifier.train()
        if self.finetuning:
            self.finetuning.begin(epoch)
        weights, pulled = list(self.classifier.parameters()), decayed_weights(self.classifier)
        with _seeded(derived_seed(settings.seed, "dropout", epoch), device):
            for number, (batch, labels) in enumerate(batches_of(self.train, batches, device)):
                set_learning_rate(self.optimizer, self.schedule.at(first_step + number))
                images, targets = augment(
                    batch,
                    labels,
                    self.train.num_classes,
                    self.recipe.augmentation,
                    variation,
                )
                with self.runtime.autocast():
                    logits = self.classifier(images)
                loss = self.objective(logits.float(), targets, images)
                tally.add(number, loss, logits, targets)
                if self.recipe.optimizer.l1:
                    loss = loss + self.recipe.optimizer.l1 * l1_penalty(pulled)
                if self.finetuning and self.recipe.finetuning.l2_sp:
                    loss = loss + self.finetuning.penalty()
                clear_gradients(weights)
                loss.backward()  # type: ignore[no-untyped-call]
                if settings.gradient_clip_norm:
                    clip_grad_norm_(weights, settings.gradient_clip_norm)
                take_step(self.optimizer)
                if self.average:
                    self.average.update(self.classifier.network)
                if number % _STEPS_BETWEEN_LOOKS == 0 or number + 1 == len(batches):
                    self._look(tally, epoch, on_step)
        # No loss is computed after the last step, so its weights are checked themselves.
        if not all(bool(torch.isfinite(weight).all()) for weight in weights):
            raise self._diverged(f"weights are not finite after epoch {epoch}")
        return tally.mean_loss(), tally.accuracy()

    def _order(self, epoch: int) -> torch.Tensor:
        """The indices of an epoch's images, in the order of training."""
        drawn = generator(self.recipe.training.seed, "order", epoch)
        if self.recipe.training.sampling == "balanced":
            return balanced_order(self.train.labels.cpu(), drawn)
        return torch.randperm(len(self.train), generator=drawn)

    def _look(self, tally: Tally, epoch: int, on_step: StepCallback | None) -> None:
        """Stops on a loss that is not finite; the main process reports how far the epoch is."""
        broken = tally.first_not_finite()
        if broken is not None:
            loss = tally.losses[broken].item()
            raise self._diverged(f"the loss is {loss} in epoch {epoch}, batch {broken + 1}")
        if on_step is not None and self.runtime.is_main:
            on_step(tally.num_images, len(self.train), tally.mean_loss())

    def _diverged(self, what: str) -> DivergedError:
        rate = self.recipe.optimizer.learning_rate
        return DivergedError(
            f"{what}: the steps are most likely too large (learning_rate {rate:g}); "
            f"try --set learning_rate={rate / 10:g} or --set gradient_clip_norm=1"
        )

    def _validate(self, epoch: int, network: nn.Module | None = None) -> dict[str, float]:
        """Loss, accuracy and macro F1 by these names; nothing without a validation part.

        Args:
            epoch: the last one that was trained.
            network: what is validated; None is the one that would be kept now.
        """
        if self.validation is None:
            return {}
        logits = predict_logits(
            self.classifier.with_network(network or self._kept_network()),
            self.validation.images,
            device=self.runtime.device,
            autocast=self.runtime.autocast,
        )
        labels = self.validation.labels.cpu()
        loss = self.objective.without_variations(logits, labels)
        if not math.isfinite(loss):
            raise self._diverged(f"the validation loss is {loss} after epoch {epoch}")
        confusion = confusion_matrix(logits.argmax(1), labels, self.validation.num_classes)
        return {
            "loss": loss,
            "accuracy": int(confusion.diag().sum()) / len(labels),
            "macro-f1": precision_recall(confusion).macro().f1,
        }

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """All that the next epoch depends on: tensors, and plain values for a JSON header."""
        best = self.early_stopping
        return TrainingState(
            weights=self.classifier.network.state_dict(),
            best=best.best_weights,
            average=self.average.network.state_dict() if self.average else {},
            optimizer=optimizer_state(self.optimizer),
            history=[asdict(report) for report in self.history],
            average_steps=self.average.num_steps if self.average else 0,
            num_frozen_stages=self._num_frozen(len(self.history)),
            best_epoch=best.best_epoch,
            best_loss=best.best_loss if best.best_weights else None,
        ).to_file()

    def restore(self, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]) -> None:
        """Puts back what :meth:`state` gave, so that the next epoch is the one that was due.

        Raises:
            ConfigError: a state of another network or optimizer.
        """
        saved = TrainingState.from_file(tensors, header)
        with refusing_misfits():
            restore_optimizer(self.optimizer, saved.optimizer)
            self.classifier.network.load_state_dict(saved.weights)
            if self.average:
                self.average.restore(saved.average, saved.average_steps)
            self.early_stopping.restore(
                saved.best_epoch,
                saved.best_loss,
                {name: tensor.to(self.runtime.device) for name, tensor in saved.best.items()},
            )
            self.history = [EpochReport(**row) for row in saved.history]
            if saved.num_frozen_stages != self._num_frozen(len(self.history)):
                raise ValueError("other stages were frozen")


def _finetuning(network: nn.Module, recipe: Recipe) -> FineTuning | None:
    """None where training begins from zero."""
    if not recipe.finetuning.source:
        return None
    settings = recipe.training
    return FineTuning(network, recipe.finetuning, num_epochs=settings.epochs, seed=settings.seed)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seeds torch's global generator, which dropout draws from; outside it is as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
