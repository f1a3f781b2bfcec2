"""The specification of a classifier: all its attributes except the weights, as plain values.

Nothing here loads torch, so that reading images for a classifier needs none. A new attribute is one
field of `ClassifierSpec` with default, limits and help; reading, writing and checking follow from
it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Literal

from tellapart.config import Scalar, Views
from tellapart.config.fields import Section, from_table, setting
from tellapart.data.images.drawing import DrawingStyle
from tellapart.data.preparation import WHITE_LEVELS, Fit, Frame
from tellapart.errors import ConfigError
from tellapart.wording import did_you_mean, listed

_LONGEST_SIDE = 65_536
_MOST_CLASSES = 1_000_000


@dataclass(frozen=True)
class Normalization(Section):
    """The normalisation of pixels: ``(pixel / 255 - mean) / std``, per channel.

    Args:
        mean: per channel, of pixels in 0..1; one number serves all channels.
        std: standard deviation per channel, above 0, as many as means.

    Raises:
        ConfigError: numbers that are not finite, different counts, or a std of 0 or less.

    >>> import tellapart
    >>> tellapart.Normalization(mean=(0.13,), std=(0.31,)).std
    (0.31,)
    """

    mean: tuple[float, ...] = setting(MISSING, "per channel, of pixels in 0..1")
    std: tuple[float, ...] = setting(
        MISSING, "standard deviation per channel, of pixels in 0..1", above=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.mean or len(self.mean) != len(self.std):
            raise ConfigError(
                "normalization must have one mean and one std per channel, "
                f"got {len(self.mean)} and {len(self.std)}"
            )


OutsideScore = Literal["nearest-neighbour", "max-softmax"]
"""A score of how unlike the training images an image is (`tellapart.trust.outside.rule`)."""


@dataclass(frozen=True)
class OutsideRule(Section):
    """From which score on an image counts as unlike the training images.

    Args:
        score: which score; see `tellapart.trust.outside.rule`.
        threshold: images with a higher score are unlike the training images.
        num_held_out: the number of held-out images that the threshold was taken from.
        fraction: of images of the same kind as those, the fraction that exceeds it on average.

    Raises:
        ConfigError: a value of another type or outside its limits.
    """

    score: OutsideScore = setting(MISSING, "the score of how unlike an image is")
    threshold: float = setting(MISSING, "images with a higher score are flagged")
    num_held_out: int = setting(MISSING, "held-out images behind the threshold", minimum=1)
    fraction: float = setting(0.01, "of such images, how many exceed it", above=0, below=1)


@dataclass(frozen=True)
class ClassifierSpec(Section):
    """All attributes of a classifier except its weights; immutable plain values.

    Args:
        network: the name of the network, as in a recipe.
        class_names: one name per logit, in the order of the logits.
        image_shape: (channels, height, width) of the images.
        normalization: mean and std of the pixels.
        arguments: of the network's builder, by name.
        fit: ``pad``, ``crop`` or ``squash``, for image files of another aspect ratio.
        white_level: the value that is white in image files of more than 8 bits; 0 where no training
            image had so many: what is white is then chosen by the images that are given.
        style: background, size and position of the training drawings; None for other images.
        views: the views of an image that class probabilities are averaged over.
        thresholds: the probability from which on a class is answered, of at most one class; empty
            answers the most probable class. See `tellapart.models.decision`.
        temperature: the number that the logits are divided by, so that probabilities are true
            (`tellapart.evaluation.calibration`); None where the classifier is not calibrated.
        outside: from when on an image counts as unlike the training images; None where that is
            not known.

    Raises:
        ConfigError: a value of another type or outside its limits.

    >>> import tellapart
    >>> form = {"mean": [0.5], "std": [0.5]}
    >>> spec = tellapart.ClassifierSpec(
    ...     network="lenet", class_names=("a", "b"), image_shape=(1, 28, 28), normalization=form
    ... )
    >>> tellapart.ClassifierSpec.from_json(spec.to_json()) == spec
    True
    """

    network: str = setting(MISSING, "name of the network, as a recipe gives it")
    class_names: tuple[str, ...] = setting(MISSING, "one per logit, in their order")
    image_shape: tuple[int, ...] = setting(
        MISSING, "(channels, height, width) of the images", minimum=1, maximum=_LONGEST_SIDE
    )
    normalization: Normalization = setting(MISSING, "mean and std of the pixels")
    arguments: Mapping[str, Scalar] = setting({}, "arguments of the network's builder, by name")
    fit: Fit = setting("pad", "how image files of another aspect ratio are made to fit")
    white_level: int = setting(
        0, "the value that is white in images of more than 8 bits; 0 where none was seen"
    )
    style: DrawingStyle | None = setting(
        None, "background, size and position of the training drawings"
    )
    views: Views = setting(
        "plain", "the views of an image that class probabilities are averaged over"
    )
    thresholds: Mapping[str, float] = setting(
        {},
        "the probability from which on a class is answered, of at most one class",
        above=0,
        below=1,
    )
    temperature: float | None = setting(
        None,
        "the number that the logits are divided by; none where it is not calibrated",
        minimum=0.01,
        maximum=100,
    )
    outside: OutsideRule | None = setting(
        None, "from when on an image counts as unlike the training images"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = self.class_names
        if not 2 <= len(names) <= _MOST_CLASSES or len(set(names)) != len(names):
            raise ConfigError("class_names must be at least 2 different names")
        if any("\ud800" <= letter <= "\udfff" for name in names for letter in name):
            raise ConfigError("class_names must be text, not half a character")
        if len(self.image_shape) != 3:
            raise ConfigError(f"image_shape must be 3 positive sizes, got {self.image_shape}")
        if self.white_level not in (0, *WHITE_LEVELS):
            levels = ", ".join(map(str, WHITE_LEVELS))
            raise ConfigError(f"white_level must be one of {levels}, got {self.white_level}")
        if len(self.normalization.mean) not in (1, self.image_shape[0]):
            raise ConfigError(
                "normalization must have one mean and std for all channels, or one for each of "
                f"the {self.image_shape[0]}; got {len(self.normalization.mean)}"
            )
        if len(self.thresholds) > 1:
            raise ConfigError(
                f"thresholds must be of one class at most, got {len(self.thresholds)}: "
                + listed(self.thresholds)
            )
        for name in self.thresholds:
            if name not in names:
                known = f"known: {listed(names)}"
                raise ConfigError(
                    f"thresholds: no class is called {name!r}{did_you_mean(name, names, known)}"
                )
        numbers = (
            [v for v in vars(self.style).values() if isinstance(v, float)] if self.style else []
        )
        # A drawing's longer side may be that many times the shorter side of its frame.
        if not all(0 <= number <= _LONGEST_SIDE for number in numbers):
            raise ConfigError(f"style must hold fractions of the frame, got {numbers}")

    @property
    def frame(self) -> Frame:
        """The form to which image files are converted for the classifier.

        Raises:
            ConfigError: an image shape that files cannot have, e.g. 2 channels.
        """
        channels, height, width = self.image_shape
        return Frame(channels, height, width, self.fit, self.white_level)

    def to_json(self) -> dict[str, Any]:
        """Return the specification as plain tables, lists, text and numbers."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ClassifierSpec:
        """Read a specification that :meth:`to_json` returned; a missing key has its default.

        Raises:
            ConfigError: an unknown key, or a value of the wrong type or outside its limits.
        """
        return from_table(cls, content)
