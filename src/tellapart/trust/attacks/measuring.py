"""Adversarial images: changed as little as misleads a classifier, by projected gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tellapart import runtime
from tellapart.evaluation.metrics import wilson_interval

NUM_STEPS = 20
# A step is this times the radius, divided by the number of steps: enough to cross the whole range.
_REACH = 2.5
_IMAGES_AT_A_TIME = 100

Logits = Callable[[Tensor], Tensor]
"""From float32 pixels (batch, channels, height, width) in 0..255 to logits, differentiable."""


@dataclass(frozen=True)
class Attack:
    """An image that was changed so that another class is answered.

    Args:
        place: of the image among those attacked.
        level: the strength, in levels of 255, by which no pixel is changed more.
        answer: the class that is answered now.
        image: uint8 (channels, height, width), the changed image.
    """

    place: int
    level: int
    answer: int
    image: Tensor


@dataclass(frozen=True)
class AttackedAccuracy:
    """The accuracy under attacks of growing strength.

    Args:
        num_images: how many images were attacked.
        levels: the strengths in levels of 255, from 0 on.
        num_correct: at each strength, how many images are classified correctly still.
        attacks: the successful attacks, each image with the smallest strength that sufficed.
    """

    num_images: int
    levels: tuple[int, ...]
    num_correct: tuple[int, ...]
    attacks: tuple[Attack, ...]

    def accuracies(self) -> tuple[float, ...]:
        """Return the accuracy at each strength."""
        return tuple(correct / self.num_images for correct in self.num_correct)

    def intervals(self) -> tuple[tuple[float, float], ...]:
        """Return the 95 % Wilson interval at each strength."""
        return tuple(wilson_interval(correct, self.num_images) for correct in self.num_correct)

    def level_of_half(self) -> int | None:
        """Return the first strength at which at most half of the images are correct, or None."""
        return next(
            (
                level
                for level, correct in zip(self.levels, self.num_correct, strict=True)
                if 2 * correct <= self.num_images
            ),
            None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers, in the order of the strengths."""
        return {
            "num_images": self.num_images,
            "attack": "projected gradient descent, L-infinity",
            "num_steps": NUM_STEPS,
            "levels": list(self.levels),
            "accuracy": list(self.accuracies()),
            "accuracy_interval": [list(interval) for interval in self.intervals()],
        }


def measure_attacked(
    logits_of: Logits,
    images: Tensor,
    labels: Tensor,
    answer: Callable[[Tensor], Tensor],
    levels: Sequence[int],
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> AttackedAccuracy:
    """Attack images with growing strength.

    An image that was misled at one strength is at every larger one, since that allows the same
    change: only the images that are left are attacked on.

    Args:
        logits_of: of the classifier, in eval mode.
        images: uint8 (images, channels, height, width), on the classifier's device.
        labels: int64 (images,).
        answer: from uint8 images to the classes that are answered, int64 (images,), on the CPU. It
            decides whether an attack succeeded, and the image is one that a file can hold.
        levels: the strengths, rising, above 0.
        seed: of the random starts.
        on_progress: is told how many strengths are done.
    """
    correct = answer(images) == labels
    counts, attacks = [int(correct.sum())], []
    for done, level in enumerate(levels, start=1):
        places = correct.nonzero().squeeze(1)
        for part in torch.split(places, _IMAGES_AT_A_TIME) if len(places) else ():
            found = attack(logits_of, images[part], labels[part], level, seed=seed + int(part[0]))
            answers = answer(found)
            for place, given, image in zip(part.tolist(), answers.tolist(), found, strict=True):
                if given != int(labels[place]):
                    correct[place] = False
                    attacks.append(Attack(place, level, given, image.cpu()))
        counts.append(int(correct.sum()))
        if on_progress is not None:
            on_progress(done, len(levels))
    return AttackedAccuracy(len(images), (0, *levels), tuple(counts), tuple(attacks))


def attack(
    logits_of: Logits,
    images: Tensor,
    labels: Tensor,
    level: int,
    *,
    num_steps: int = NUM_STEPS,
    seed: int = 0,
) -> Tensor:
    """Return images that differ from ``images`` by at most ``level`` and mislead a classifier.

    Projected gradient descent: from a random start, each step moves every pixel against the margin
    of the true class, by the sign of the gradient, and back into the range that is allowed. The
    margin, the logit of the true class minus the largest other, has a gradient also where the
    probabilities are 1 to all digits, and their cross-entropy has none. At the end pixels are
    rounded to whole numbers, which keeps them in the range.

    Args:
        logits_of: of the classifier, in eval mode.
        images: uint8 (images, channels, height, width).
        labels: int64 (images,).
        level: how far a pixel may move, in levels of 255.
        num_steps: the number of steps.
        seed: of the random start.

    Returns:
        uint8 images of the same shape.

    Sources: A. Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR
    2018; the margin is that of N. Carlini and D. Wagner, "Towards Evaluating the Robustness of
    Neural Networks", 2017.
    """
    clean, labels = images.float(), labels.to(images.device)
    low, high = (clean - level).clamp_min(0), (clean + level).clamp_max(255)
    generator = runtime.generator(seed, "attack", level)
    start = (torch.rand(images.shape, generator=generator) * 2 - 1) * level
    pixels = torch.minimum(torch.maximum(clean + start.to(images.device), low), high)
    step = _REACH * level / num_steps
    for _ in range(num_steps):
        pixels = pixels.detach().requires_grad_()
        with torch.enable_grad():
            margin = _margin(logits_of(pixels), labels).sum()
        [gradient] = torch.autograd.grad(margin, pixels)
        pixels = torch.minimum(torch.maximum(pixels - step * gradient.sign(), low), high)
    return pixels.detach().round().to(torch.uint8)


def _margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The logit of the true class minus the largest of the others, (images,)."""
    true = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return true - others.amax(1)
