"""``predict``: the classes of image files, and sets of classes where one answer is not enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.images.files import find_images
from tellapart.data.images.fitted import FittedImage
from tellapart.data.images.listing import ReadableFile
from tellapart.errors import DataError
from tellapart.evaluation import predict_logits
from tellapart.models.classifier import Classifier
from tellapart.models.reading import read_image
from tellapart.models.spec import OutsideRule
from tellapart.models.views import num_views, views_with_tta
from tellapart.runs.drawings import changes_of
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.trust.certainty.abstention import Abstention
from tellapart.trust.certainty.conformal import PredictionSets, SetMethod
from tellapart.trust.outside.rule import observe, scorer_of
from tellapart.workflow.certainty import AskedCertainty, asked_certainty
from tellapart.workflow.recall import warn_of_other_views

# The number of images that are decoded before they are predicted; it limits memory.
_IMAGES_AT_A_TIME = 256
# Keys of the JSON that are left out where they are None.
_OPTIONAL = (
    *("threshold", "classes", "unsure", "guess"),
    *("unlike_training", "outside_score", "outside_threshold"),
)


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image file: a class and a runner-up, or an error.

    Args:
        path: the file.
        label: the name of the answered class: the most probable one, unless the classifier's
            threshold decides; None on an error or a blank page.
        probability: of the class, in 0..1.
        runner_up: the name of the most probable other class.
        runner_up_probability: of the runner-up, in 0..1.
        error: the reason why the file cannot be read, or None.
        changes: how a drawing was changed to match the training images, e.g. ``("inverted",)``.
        found: False if a classifier of drawings was given a blank page.
        views: the number of views that the probabilities are averaged over; None on an error.
        threshold: the threshold because of which another class than the most probable one is
            answered; None where the most probable class is answered.
        classes: the set of classes that holds the true one with the coverage that was asked for,
            the most probable first; None where no coverage was.
        unsure: whether ``probability`` is below the one to answer from, so that there is no label;
            None where nothing was asked about that.
        guess: the class that would be answered if that were not asked for; None unless unsure.
        unlike_training: whether the image is unlike the training images, so that its class means
            little; None on an error, and where the classifier has no rule for it.
        outside_score: how unlike the training images it is.
        outside_threshold: the score beyond which an image is flagged.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    runner_up: str | None = None
    runner_up_probability: float | None = None
    error: str | None = None
    changes: tuple[str, ...] = ()
    found: bool = True
    views: int | None = None
    threshold: float | None = None
    classes: tuple[str, ...] | None = None
    unsure: bool | None = None
    guess: str | None = None
    unlike_training: bool | None = None
    outside_score: float | None = None
    outside_threshold: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``predict --json``; what was not asked for, or is not known, is
        left out."""
        content = {**asdict(self), "changes": list(self.changes)}
        for name in _OPTIONAL:
            if content[name] is None:
                del content[name]
        return content


class Predictions(list[Prediction]):
    """The predictions of image files, in the order in which they were found.

    Args:
        entries: one per file.
        abstention: what leaving images unanswered gives, on images that were not trained on; None
            where it was not asked for, or is not known.
        sets: the rule by which sets of classes were made; None where no coverage was asked for.
        promise: what is promised of the sets, in a sentence; None without sets.
        outside: the rule by which images unlike the training images are flagged; None where the
            classifier has none.
    """

    def __init__(
        self,
        entries: Iterable[Prediction] = (),
        abstention: Abstention | None = None,
        sets: PredictionSets | None = None,
        promise: str | None = None,
        outside: OutsideRule | None = None,
    ) -> None:
        super().__init__(entries)
        self.abstention = abstention
        self.sets = sets
        self.promise = promise
        self.outside = outside

    def to_json(self) -> dict[str, Any]:
        """Return what ``predict --json`` prints besides the name of the run."""
        sets = self.sets
        described = sets and {
            "coverage": sets.coverage,
            "method": sets.method,
            "per_class": sets.per_class,
            "num_calibration": sum(sets.num_calibration),
            "promise": self.promise,
        }
        return {
            "predictions": [entry.to_json() for entry in self],
            **({"sets": described} if described else {}),
            **({"abstention": self.abstention.to_json()} if self.abstention else {}),
        }


def predict(
    run: str | Path,
    images: Sequence[str | Path],
    *,
    as_is: bool = False,
    tta: bool | None = None,
    coverage: float | None = None,
    sets: SetMethod | None = None,
    per_class: bool = False,
    abstain_below: float | None = None,
    session: Session | None = None,
) -> Predictions:
    """Predicts the class of image files, in the order in which they are found.

    Args:
        run: a run folder, or a classifier file.
        images: files, folders (searched with all their sub-folders) and patterns.
        as_is: keep drawings as they are; by default a drawing whose background, size or position
            differs from the training images is changed to match them.
        tta: test-time augmentation: True averages over nine views (and their mirror images if the
            recipe mirrors), False uses the image itself, None follows the recipe.
        coverage: also list a set of classes for each image, so that this fraction of the sets holds
            the true class, such as 0.99; calibrated on the run's images that were not trained on.
        sets: how the classes of a set are scored: ``lac`` (None), ``aps`` or ``raps``.
        per_class: give the images of each class that coverage.
        abstain_below: leave images unanswered whose class has a lower probability.
        session: device and callbacks; None is the default `Session`.

    Returns:
        One prediction per file; a file that cannot be read has an ``error`` and no class.

    Raises:
        TellapartError: a subclass of it, if the run cannot be used or no file is found.

    >>> import tellapart
    >>> from PIL import Image
    >>> digit = tellapart.load_data_set("mnist-sample").split("test").images[0, 0]
    >>> Image.fromarray(digit.numpy()).save("digit.png")
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> run = tellapart.train(settings=quick).run
    >>> [prediction] = tellapart.predict(run, ["digit.png"], coverage=0.9)
    >>> prediction.path, prediction.error, 0 < prediction.probability <= 1
    ('digit.png', None, True)
    >>> prediction.label == prediction.classes[0]
    True
    """
    session = session or Session()
    opened = open_run(run, session=session)
    trained, runtime = opened.classifier, session.runtime()
    classifier = trained.with_views(views_with_tta(trained.views, tta)).to(runtime.device)
    warn_of_other_views(trained, classifier, session)
    asked = asked_certainty(
        opened,
        classifier,
        session,
        coverage=coverage,
        sets=sets,
        per_class=per_class,
        abstain_below=abstain_below,
    )
    paths = find_images([str(entry) for entry in images])
    predictions: list[Prediction] = []
    with session.limited_threads():
        for start in range(0, len(paths), _IMAGES_AT_A_TIME):
            part = paths[start : start + _IMAGES_AT_A_TIME]
            predictions += _predict_some(classifier, part, runtime.device, asked, as_is=as_is)
    outside = classifier.spec.outside
    return Predictions(predictions, asked.abstention, asked.sets, asked.promise, outside)


def _predict_some(
    classifier: Classifier,
    paths: Sequence[ReadableFile],
    device: torch.device,
    asked: AskedCertainty,
    *,
    as_is: bool,
) -> list[Prediction]:
    found: list[FittedImage | DataError] = []
    for path in paths:
        try:
            found.append(read_image(path, classifier.spec, as_is=as_is))
        except DataError as error:
            found.append(error)
    readable = [entry.pixels for entry in found if isinstance(entry, FittedImage)]
    rows = iter(_answers(classifier, readable, device))
    predictions = []
    for path, entry in zip(paths, found, strict=True):
        if isinstance(entry, DataError):
            predictions.append(Prediction(str(path), error=str(entry)))
        else:
            logits, score = next(rows)
            predicted = _prediction(path, logits, classifier, entry, asked)
            predictions.append(_with_flag(predicted, score, classifier.spec.outside))
    return predictions


def _answers(
    classifier: Classifier, images: Sequence[NDArray[np.uint8]], device: torch.device
) -> list[tuple[torch.Tensor, float | None]]:
    """For each image its logits (classes,), and how unlike the training images it is, if known."""
    if not images:
        return []
    batch = torch.from_numpy(np.stack(images))
    scorer = scorer_of(classifier)
    if scorer is None:
        logits = predict_logits(classifier, batch, device=device)
        return [(row, None) for row in logits]
    observed = observe(classifier, batch, device)
    is_plain = classifier.views == "plain"  # then the same pass gives the answers
    logits = observed.answers if is_plain else predict_logits(classifier, batch, device=device)
    return list(zip(logits, scorer.score(observed).tolist(), strict=True))


def _with_flag(prediction: Prediction, score: float | None, rule: OutsideRule | None) -> Prediction:
    """The prediction with the flag of an image unlike the training images, if there is a rule."""
    if score is None or rule is None or not prediction.found:
        return prediction
    return replace(
        prediction,
        unlike_training=score > rule.threshold,
        outside_score=score,
        outside_threshold=rule.threshold,
    )


def _prediction(
    path: ReadableFile,
    logits: torch.Tensor,
    classifier: Classifier,
    read: FittedImage,
    asked: AskedCertainty,
) -> Prediction:
    if not read.found:
        return Prediction(str(path), changes=changes_of(read), found=False)
    names = classifier.class_names
    probabilities = logits.softmax(0)
    label = int(classifier.decide(logits[None]))
    runner_up = next(other for other in probabilities.topk(2).indices.tolist() if other != label)
    is_decided = label != int(logits.argmax())
    prediction = Prediction(
        str(path),
        names[label],
        float(probabilities[label]),
        names[runner_up],
        float(probabilities[runner_up]),
        changes=read.changes,
        views=num_views(classifier.views),
        threshold=next(iter(classifier.spec.thresholds.values())) if is_decided else None,
        classes=_classes(logits, classifier, asked.sets) if asked.sets else None,
    )
    below = asked.abstain_below
    if below is None:
        return prediction
    if float(probabilities[label]) >= below:
        return replace(prediction, unsure=False)
    return replace(prediction, label=None, unsure=True, guess=names[label])


def _classes(logits: torch.Tensor, classifier: Classifier, sets: PredictionSets) -> tuple[str, ...]:
    """The set of classes of an image, the most probable first."""
    plain = logits[None].double() * (classifier.spec.temperature or 1.0)
    [members] = sets.members(plain)
    order = logits.argsort(descending=True).tolist()
    return tuple(classifier.class_names[label] for label in order if members[label])
