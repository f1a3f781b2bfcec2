"""The result of ``train`` and ``finetune``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tellapart.evaluation import Evaluation
from tellapart.finetuning.start import Start
from tellapart.models.spec import OutsideRule
from tellapart.runs.calibration import CalibratedOn
from tellapart.runs.evaluations import evaluation_title

# Figures of the test split that ``train --json`` prints under the names that they have there.
_TEST_FIGURES = (
    "balanced_accuracy",
    "balanced_accuracy_interval",
    "majority_class",
    "majority_baseline",
)


@dataclass(frozen=True)
class TrainingResult:
    """The result of `train` and `finetune`.

    Args:
        run: the run folder.
        data: the name of the data set.
        recipe: the name of the recipe.
        seed: the seed of weights, shuffling and dropout.
        num_parameters: the number of trainable weights.
        num_epochs: how many epochs were trained, in resumed runs also those before.
        train_seconds: of the training loop alone.
        total_seconds: of the whole call.
        views: the number of views of an image that predictions are averaged over.
        validation_accuracy: of the weights that were kept, in 0..1; None without validation.
        test: the figures of the test split; None if the data set has none.
        verdict: the reason why the classifier is of no use; None if it is of use.
        not_written: the error that kept report and figures from being written, or None.
        device: that the classifier was trained on, e.g. ``cpu``.
        precision: ``fp32`` or ``bf16``.
        weights_sha256: hexadecimal SHA-256 of the trained weights.
        start: the source of the weights of a fine-tuned classifier; None from zero.
        temperature: the number that its logits are divided by; None where it is not calibrated.
        calibrated_on: the images that the temperature was fitted to: ``validation``,
            ``calibration`` or ``cross-validation``; None where there are none.
        outside: the rule by which `predict` flags images unlike the training images; None where
            too few images are held out for one.
    """

    run: Path
    data: str
    recipe: str
    seed: int
    num_parameters: int
    num_epochs: int
    train_seconds: float
    total_seconds: float
    views: int
    validation_accuracy: float | None
    test: Evaluation | None
    verdict: str | None
    not_written: str | None
    device: str
    precision: str
    weights_sha256: str
    start: Start | None = None
    temperature: float | None = None
    calibrated_on: CalibratedOn | None = None
    outside: OutsideRule | None = None

    @property
    def title(self) -> str:
        """The title of the test evaluation: ``mnist, test split``, and the views if several."""
        return evaluation_title(self.data, "test", (self.views,))

    @property
    def test_accuracy(self) -> float | None:
        """Fraction of the test split that was classified correctly."""
        return self.test.accuracy if self.test else None

    @property
    def test_accuracy_interval(self) -> tuple[float, float] | None:
        """The Wilson interval of the test accuracy at 95 %."""
        return self.test.accuracy_interval if self.test else None

    def to_json(self) -> dict[str, Any]:
        """Return what ``train --json`` prints."""
        interval = self.test_accuracy_interval
        figures = self.test.to_json() if self.test else {}
        content = {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.name not in ("test", "start")
        }
        return {
            **content,
            "run": str(self.run),
            "outside": asdict(self.outside) if self.outside else None,
            "test_accuracy": self.test_accuracy,
            "test_accuracy_interval": list(interval) if interval else None,
            "test_loss": self.test.loss if self.test else None,
            **{name: figures.get(name) for name in _TEST_FIGURES},
            **(self.start.to_json() if self.start else {}),
        }
