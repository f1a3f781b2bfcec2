"""Predict a whole image set, and say how good the predictions are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tellapart.errors import ConfigError, DivergedError, RunError, ShapeError
from tellapart.evaluation import metrics
from tellapart.evaluation.metrics import ReliabilityBin, RocCurve


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into eval mode, and every part of it back into its own mode afterwards.

    Parts are remembered one by one: a frozen backbone stays in eval mode inside a network that
    goes back to training.
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def predict_logits(
    classifier: nn.Module,
    images: Tensor,
    *,
    batch_size: int = 1000,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[Any]] | None = None,
) -> Tensor:
    """What the classifier says of every picture, in the order of the pictures.

    Args:
        classifier: maps uint8 pictures (batch, channels, height, width) to logits
            (batch, classes); already on ``device``. It runs in eval mode without gradients and
            comes back in the modes it was in.
        images: uint8 (pictures, channels, height, width), on any device.
        batch_size: pictures at a time; changes memory and speed only.
        device: where the classifier is.
        autocast: makes the precision context of one batch; None computes as the weights are.

    Returns:
        float32 (pictures, classes) on the CPU; an ordinary tensor, fit for autograd.

    Raises:
        ShapeError: where images are not so, or none, or the classifier gives another shape.
        ConfigError: where the batch size is below 1.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or len(images) == 0:
        raise ShapeError(
            "images must be uint8 (pictures, channels, height, width) with at least one picture, "
            f"got {images.dtype} {tuple(images.shape)}"
        )
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
    make_context = autocast or nullcontext
    batches = []
    with evaluation_mode(classifier), torch.inference_mode():
        for batch in torch.split(images, batch_size):
            with make_context():
                logits = classifier(batch.to(device, non_blocking=True))
            _check_output(logits, len(batch))
            batches.append(logits.float())
    # Joined outside inference mode: an inference tensor could not be saved for a backward pass.
    return torch.cat(batches).cpu()


@dataclass(frozen=True)
class ClassScores:
    """How well one class is told from the rest.

    Precision, recall and F1 lie in 0..1, and are 0 where nothing was predicted or present.
    ``support`` counts the pictures; ``auc`` is None where no ROC curve exists.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    auc: float | None


@dataclass(frozen=True)
class Evaluation:
    """What the predictions on one image set are worth.

    Shares lie in 0..1; ``loss`` is the mean cross-entropy in nats; ``accuracy_interval`` is
    Wilson's at 95 %. The confusion matrix has a row per true and a column per predicted class.
    Macro means run over the classes that occur (for ``macro_auc``: that have a ROC curve).
    """

    num_images: int
    class_names: tuple[str, ...]
    accuracy: float
    accuracy_interval: tuple[float, float]
    loss: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    macro_auc: float | None
    expected_calibration_error: float
    confusion_matrix: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassScores, ...]
    reliability_bins: tuple[ReliabilityBin, ...]

    @property
    def num_correct(self) -> int:
        """How many pictures were named rightly."""
        return sum(row[index] for index, row in enumerate(self.confusion_matrix))

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts, strings and finite numbers; None where a value does not exist."""
        content = asdict(self)
        for name in ("class_names", "accuracy_interval", "per_class", "reliability_bins"):
            content[name] = list(content[name])
        content["confusion_matrix"] = [list(row) for row in self.confusion_matrix]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Evaluation:
        """The evaluation that `to_json` wrote.

        Raises:
            RunError: where a key is missing or unknown, or a value is of another kind.
        """
        expected, found = {field.name for field in fields(cls)}, set(content)
        if expected != found:
            missing = ", ".join(sorted(expected - found)) or "none"
            unknown = ", ".join(sorted(found - expected)) or "none"
            raise RunError(
                f"an evaluation must have exactly the keys that tellapart wrote; missing: "
                f"{missing}; unknown: {unknown}. Evaluate the run again to write it anew"
            )
        values = dict(content)
        try:
            low, high = values["accuracy_interval"]
            values["accuracy_interval"] = (float(low), float(high))
            values["class_names"] = tuple(values["class_names"])
            values["confusion_matrix"] = tuple(tuple(row) for row in values["confusion_matrix"])
            values["per_class"] = tuple(ClassScores(**row) for row in values["per_class"])
            bins = tuple(ReliabilityBin(**row) for row in values["reliability_bins"])
            values["reliability_bins"] = bins
        except (TypeError, ValueError) as error:
            raise RunError(
                f"an evaluation holds a value of another kind than tellapart writes ({error}). "
                "Evaluate the run again to write it anew"
            ) from error
        return cls(**values)


def evaluate_logits(logits: Tensor, labels: Tensor, class_names: Sequence[str]) -> Evaluation:
    """Everything that is known of predictions once the truth is.

    Args:
        logits: floating point (pictures, classes).
        labels: int64 (pictures,).
        class_names: one per column of ``logits``.

    Raises:
        ShapeError: where shapes or types are not these.
        DataError: where there is no picture, or a label outside the classes.
        DivergedError: where a logit is not finite.

    Cost: one sort of the pictures per class; 10,000 pictures in 10 classes take about 20 ms.
    """
    logits, labels = _check_logits(logits, labels)
    num_classes = logits.shape[1]
    if num_classes != len(class_names):
        raise ShapeError(
            f"logits must have a column per class name, got {num_classes} columns "
            f"and {len(class_names)} names"
        )
    probabilities, predictions = logits.softmax(1), logits.argmax(1)
    confusion = metrics.confusion_matrix(predictions, labels, num_classes)
    scores = metrics.precision_recall(confusion)
    macro, weighted = scores.macro(), scores.weighted()
    columns = probabilities.T.contiguous()  # (classes, pictures)
    areas = [metrics.roc_auc(columns[index], labels == index) for index in range(num_classes)]
    num_correct = int(confusion.diag().sum())
    bins = metrics.reliability_bins(probabilities, labels)
    return Evaluation(
        num_images=len(labels),
        class_names=tuple(class_names),
        accuracy=num_correct / len(labels),
        accuracy_interval=metrics.wilson_interval(num_correct, len(labels)),
        loss=metrics.cross_entropy(logits, labels),
        macro_precision=macro.precision,
        macro_recall=macro.recall,
        macro_f1=macro.f1,
        weighted_precision=weighted.precision,
        weighted_recall=weighted.recall,
        weighted_f1=weighted.f1,
        macro_auc=metrics.macro_mean(areas),
        expected_calibration_error=metrics.expected_calibration_error(bins),
        confusion_matrix=tuple(tuple(row) for row in confusion.tolist()),
        per_class=_class_scores(class_names, scores, areas),
        reliability_bins=bins,
    )


def roc_curves(
    logits: Tensor, labels: Tensor, *, num_points: int = 200
) -> tuple[RocCurve | None, ...]:
    """One ROC curve per class against the rest, thinned for drawing; None where none exists.

    Args:
        logits: floating point (pictures, classes).
        labels: int64 (pictures,).
        num_points: how many points each curve has at most; its area is that of all points.

    Raises:
        ShapeError, DataError, DivergedError: as `evaluate_logits`.
    """
    logits, labels = _check_logits(logits, labels)
    columns = logits.softmax(1).T.contiguous()  # (classes, pictures)
    curves = [metrics.roc_curve(column, labels == index) for index, column in enumerate(columns)]
    return tuple(curve and curve.thinned(num_points) for curve in curves)


@dataclass(frozen=True)
class Mistake:
    """A picture that was named wrongly: its place in the image set and what was said of it.

    ``label`` is the true class, ``prediction`` the wrong one, ``probability`` what the classifier
    gave the wrong one, in 0..1.
    """

    index: int
    label: int
    prediction: int
    probability: float


def most_confident_mistakes(logits: Tensor, labels: Tensor, count: int) -> list[Mistake]:
    """The ``count`` wrong predictions made with the highest probability, the surest first.

    Many of them are pictures with a wrong label: looking at them is the quickest check of data.

    Raises:
        ShapeError, DataError, DivergedError: as `evaluate_logits`.
    """
    logits, labels = _check_logits(logits, labels)
    predictions = logits.argmax(1)
    probabilities = logits.softmax(1).gather(1, predictions[:, None]).squeeze(1)
    wrong = (predictions != labels).nonzero().squeeze(1)
    # Stable, so that equal probabilities keep the order of the pictures.
    order = probabilities[wrong].sort(descending=True, stable=True).indices[: max(count, 0)]
    return [
        Mistake(index, int(labels[index]), int(predictions[index]), float(probabilities[index]))
        for index in wrong[order].tolist()
    ]


class ConfusedPair(NamedTuple):
    """That ``num_images`` pictures of class ``label`` were taken for class ``prediction``."""

    label: int
    prediction: int
    num_images: int


def most_confused(evaluation: Evaluation, count: int) -> list[ConfusedPair]:
    """The ``count`` most frequent confusions, the most frequent first; ties in class order."""
    pairs = [
        ConfusedPair(label, prediction, pictures)
        for label, row in enumerate(evaluation.confusion_matrix)
        for prediction, pictures in enumerate(row)
        if pictures and label != prediction
    ]
    return sorted(pairs, key=lambda pair: -pair.num_images)[: max(count, 0)]


def _class_scores(
    class_names: Sequence[str], scores: metrics.PrecisionRecall, areas: Sequence[float | None]
) -> tuple[ClassScores, ...]:
    columns = (scores.precision, scores.recall, scores.f1, scores.support)
    rows = zip(class_names, *(column.tolist() for column in columns), areas, strict=True)
    return tuple(ClassScores(*row) for row in rows)


def _check_output(logits: object, batch_size: int) -> None:
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != batch_size:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ShapeError(
            f"a classifier must give logits ({batch_size}, classes) for a batch of {batch_size} "
            f"pictures, got {got}"
        )


def _check_logits(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Both on the CPU, the logits in float64: float32 probabilities near 1 would all be ties."""
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ShapeError(
            "logits must be floating point (pictures, classes), "
            f"got {logits.dtype} {tuple(logits.shape)}"
        )
    logits, labels = logits.detach().cpu().double(), labels.cpu()
    metrics.check_labels(labels, logits.shape[1], len(logits))
    num_bad = int((~logits.isfinite()).any(1).sum())
    if num_bad:
        raise DivergedError(
            f"logits must be finite, got NaN or infinity for {num_bad} of {len(logits)} pictures; "
            "the weights have diverged: train again with a lower learning rate"
        )
    return logits, labels
