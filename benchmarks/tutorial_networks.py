"""The seven networks of the tutorials in plain ``torch.nn``, and how their articles train them.

Written apart from ``tellapart.models`` on purpose: a yardstick shares no code with what it
measures. ``docs/tutorials.md`` lists the mistakes of the articles and how they are corrected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


def dropout_sgd() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),  # no ReLU after it, as in the article
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def single_conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 13 * 13, 10),
    )


def two_conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),  # 28 + 2 * 2 = 32, the size LeNet was made for
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def dropout_adam() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout2d(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def two_conv_5x5() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 10, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(10, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(20 * 4 * 4, 50),  # no ReLU after it, as in the article
        nn.Linear(50, 10),
    )


OptimizerMaker = Callable[[nn.Module], torch.optim.Optimizer]


def sgd(learning_rate: float, momentum: float) -> OptimizerMaker:
    return lambda network: torch.optim.SGD(
        network.parameters(), lr=learning_rate, momentum=momentum
    )


def adam(learning_rate: float) -> OptimizerMaker:
    return lambda network: torch.optim.Adam(network.parameters(), lr=learning_rate)


@dataclass(frozen=True)
class Tutorial:
    """One network of the tutorials and how its article trains it.

    Args:
        make_network: builds it with fresh weights.
        make_optimizer: for the network it is given.
        batch_size: pictures per step.
        epochs: passes over the training pictures.
        mean: subtracted from pixels in 0..1.
        std: what they are then divided by.
    """

    make_network: Callable[[], nn.Module]
    make_optimizer: OptimizerMaker
    batch_size: int
    epochs: int
    mean: float
    std: float


TUTORIALS = {
    "dropout-sgd": Tutorial(dropout_sgd, sgd(0.01, 0.9), 64, 5, 0.1307, 0.3081),
    "single-conv-adam": Tutorial(single_conv, adam(1e-3), 64, 5, 0.0, 1.0),
    "single-conv-sgd": Tutorial(single_conv, sgd(0.01, 0.0), 64, 10, 0.5, 0.5),
    "two-conv-adam": Tutorial(two_conv, adam(1e-3), 64, 5, 0.1307, 0.3081),
    "lenet": Tutorial(lenet, adam(1e-3), 100, 5, 0.1307, 0.3081),
    "dropout-adam": Tutorial(dropout_adam, adam(1e-3), 100, 5, 0.1307, 0.3081),
    "two-conv-5x5": Tutorial(two_conv_5x5, sgd(1e-3, 0.9), 100, 10, 0.5, 0.5),
}
