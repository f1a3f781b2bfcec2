"""The evaluation of one image set: every figure that follows from its logits and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from torch import Tensor

from tellapart.data.quality.audit import IMBALANCE_RATIO
from tellapart.errors import RunError, ShapeError
from tellapart.evaluation import metrics
from tellapart.evaluation.calibration import perfect_calibration, with_bands
from tellapart.evaluation.metrics import ReliabilityBin
from tellapart.evaluation.rejection import rejection_curve_of
from tellapart.evaluation.roc import roc_auc
from tellapart.models.decision import decide

_INTERVALS = (
    "accuracy_interval",
    "balanced_accuracy_interval",
    "expected_calibration_error_band",
)


@dataclass(frozen=True)
class ClassScores:
    """How well one class is separated from all others.

    Precision, recall and F1 lie in 0..1; they are 0 where their denominator is 0. ``support`` is
    the number of images of the class; ``auc`` is None where the ROC curve is not defined.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    auc: float | None


@dataclass(frozen=True)
class Evaluation:
    """How good the predictions on one image set are.

    All scores lie in 0..1; ``loss`` is the mean cross-entropy in nats; ``accuracy_interval`` is the
    95 % Wilson interval. ``balanced_accuracy`` is the mean recall of the classes that have images,
    with its interval (`metrics.balanced_accuracy`); ``majority_baseline`` is the accuracy of always
    answering ``majority_class``, the most frequent class of these images. The confusion matrix has
    a row for each true class and a column for each predicted class. A macro mean is taken over the
    classes that occur; ``macro_auc`` over those that have a ROC curve. ``thresholds`` is the
    probability from which on a class was answered; empty where it was the most probable class.
    ``expected_calibration_error_band`` is what a perfectly calibrated classifier would show on as
    many images, with 95 % chance (`calibration.perfect_calibration`). ``temperature`` is the one
    that calibrates the probabilities, None without one; calibration error and loss without it are
    ``uncalibrated_calibration_error`` and ``uncalibrated_loss``. ``aurc`` is the mean error rate if
    the least certain images are left unanswered, over all fractions (`rejection.rejection_curve`).

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> test = tellapart.train(settings=quick, shots=9).test
    >>> test.num_images, test.num_correct / 1000 == test.accuracy
    (1000, True)
    """

    num_images: int
    class_names: tuple[str, ...]
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    balanced_accuracy_interval: tuple[float, float]
    majority_class: str
    majority_baseline: float
    loss: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    macro_auc: float | None
    expected_calibration_error: float
    expected_calibration_error_band: tuple[float, float]
    temperature: float | None
    uncalibrated_calibration_error: float | None
    uncalibrated_loss: float | None
    aurc: float
    confusion_matrix: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassScores, ...]
    reliability_bins: tuple[ReliabilityBin, ...]
    thresholds: Mapping[str, float]

    @property
    def num_correct(self) -> int:
        """The number of images that were classified correctly."""
        return sum(row[index] for index, row in enumerate(self.confusion_matrix))

    @property
    def is_unbalanced(self) -> bool:
        """Whether the largest class has at least three times the images of the smallest one.

        Accuracy then measures mostly the large classes, and balanced accuracy is shown first.
        Classes without images do not count.
        """
        supports = [row.support for row in self.per_class if row.support]
        return max(supports) >= IMBALANCE_RATIO * min(supports)

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, dicts, strings and finite numbers; None for undefined scores."""
        content = asdict(self)
        for name in ("class_names", *_INTERVALS, "per_class", "reliability_bins"):
            content[name] = list(content[name])
        content["confusion_matrix"] = [list(row) for row in self.confusion_matrix]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation that `to_json` wrote.

        Raises:
            RunError: where a key is missing or unknown, or a value has the wrong type.
        """
        expected, found = {field.name for field in fields(cls)}, set(content)
        if expected != found:
            missing = ", ".join(sorted(expected - found)) or "none"
            unknown = ", ".join(sorted(found - expected)) or "none"
            raise RunError(
                f"an evaluation must have exactly the keys that tellapart writes; missing: "
                f"{missing}; unknown: {unknown}. Evaluate the run again"
            )
        values = dict(content)
        try:
            for name in _INTERVALS:
                low, high = values[name]
                values[name] = (float(low), float(high))
            values["class_names"] = tuple(values["class_names"])
            values["confusion_matrix"] = tuple(tuple(row) for row in values["confusion_matrix"])
            values["per_class"] = tuple(ClassScores(**row) for row in values["per_class"])
            values["thresholds"] = {str(k): float(v) for k, v in values["thresholds"].items()}
            bins = tuple(ReliabilityBin(**row) for row in values["reliability_bins"])
            values["reliability_bins"] = bins
        except (AttributeError, TypeError, ValueError) as error:
            raise RunError(
                f"an evaluation holds a value of the wrong type ({error}). Evaluate the run again"
            ) from error
        return cls(**values)


def evaluate_logits(
    logits: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    thresholds: Mapping[str, float] | None = None,
    temperature: float | None = None,
) -> Evaluation:
    """Compute every figure of an evaluation from logits and true labels.

    Args:
        logits: floating point (images, classes).
        labels: int64 (images,).
        class_names: one per column of ``logits``.
        thresholds: the probability from which on a class is answered, of at most one class; None
            answers the most probable class. Loss, AUC and calibration do not depend on it.
        temperature: the one by which the logits were divided; None by none.

    Raises:
        ShapeError: where a shape or a type is wrong.
        DataError: where there is no image, or a label outside the classes.
        DivergedError: where a logit is not finite.

    Cost: one sort of the images per class, and `perfect_calibration`; 10,000 images in 10 classes
    take about 100 ms.
    """
    logits, labels = metrics.checked_logits(logits, labels)
    num_classes = logits.shape[1]
    if num_classes != len(class_names):
        raise ShapeError(
            f"logits must have one column per class name, got {num_classes} columns "
            f"and {len(class_names)} names"
        )
    probabilities = logits.softmax(1)
    predictions = decide(logits, class_names, thresholds or {})
    confusion = metrics.confusion_matrix(predictions, labels, num_classes)
    scores = metrics.precision_recall(confusion)
    macro, weighted = scores.macro(), scores.weighted()
    columns = probabilities.T.contiguous()  # (classes, images)
    areas = [roc_auc(columns[index], labels == index) for index in range(num_classes)]
    num_correct = int(confusion.diag().sum())
    balanced, balanced_interval = metrics.balanced_accuracy(confusion)
    supports = scores.support.tolist()
    most_frequent = supports.index(max(supports))
    bins = metrics.reliability_bins(probabilities, labels)
    perfect = perfect_calibration(probabilities, bins)
    before = None if temperature is None else logits * temperature
    return Evaluation(
        num_images=len(labels),
        class_names=tuple(class_names),
        accuracy=num_correct / len(labels),
        accuracy_interval=metrics.wilson_interval(num_correct, len(labels)),
        balanced_accuracy=balanced,
        balanced_accuracy_interval=balanced_interval,
        majority_class=class_names[most_frequent],
        majority_baseline=supports[most_frequent] / len(labels),
        loss=metrics.cross_entropy(logits, labels),
        macro_precision=macro.precision,
        macro_recall=macro.recall,
        macro_f1=macro.f1,
        weighted_precision=weighted.precision,
        weighted_recall=weighted.recall,
        weighted_f1=weighted.f1,
        macro_auc=metrics.macro_mean(areas),
        expected_calibration_error=metrics.expected_calibration_error(bins),
        expected_calibration_error_band=perfect.error,
        temperature=temperature,
        uncalibrated_calibration_error=None
        if before is None
        else _calibration_error(before, labels),
        uncalibrated_loss=None if before is None else metrics.cross_entropy(before, labels),
        aurc=rejection_curve_of(logits, labels, predictions).area,
        confusion_matrix=tuple(tuple(row) for row in confusion.tolist()),
        per_class=_class_scores(class_names, scores, areas),
        reliability_bins=with_bands(bins, perfect),
        thresholds=dict(thresholds or {}),
    )


def _calibration_error(logits: Tensor, labels: Tensor) -> float:
    bins = metrics.reliability_bins(logits.softmax(1), labels)
    return metrics.expected_calibration_error(bins)


def _class_scores(
    class_names: Sequence[str], scores: metrics.PrecisionRecall, areas: Sequence[float | None]
) -> tuple[ClassScores, ...]:
    columns = (scores.precision, scores.recall, scores.f1, scores.support)
    rows = zip(class_names, *(column.tolist() for column in columns), areas, strict=True)
    return tuple(ClassScores(*row) for row in rows)
