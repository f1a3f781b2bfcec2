"""The other ways to train on MNIST that the leaderboard times: what people copy to begin with.

``tutorial-loop`` is the loop of ``tutorial_loop.py`` with its first network, as its article has it.
``pytorch-example`` has the network and the settings of the official example (pytorch/examples,
``mnist/main.py``): convolutions 1-32-64, dropout, Adadelta at rate 1, which is multiplied by 0.7
after each epoch, batches of 64, 14 epochs. As there, pictures are shuffled on an accelerator and
come in the order of the file on a processor. Both get their pictures one at a time from a
``Dataset``, as torchvision's ``MNIST`` hands them out, and share no code with what they are
compared with but the reading of the files, which is outside the clock.

The clock runs over the training loop alone, as in ``tutorial_loop.py``. The test split is used
after every epoch, outside the clock, to tell when an accuracy was first reached: it is a yardstick,
and nothing is chosen by it. Testing draws no random number that training would draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from tellapart.data.image_set import ImageSet
from tellapart.data.sets.sources import load_data_set
from tellapart.runtime import Runtime, choose_runtime
from tutorial_loop import (
    TEST_BATCH_SIZE,
    ImageDataset,
    accuracy_of,
    train_one_epoch,
    warm_up,
)
from tutorial_networks import TUTORIALS, Tutorial


@dataclass(frozen=True)
class Peer:
    """A network, how it is trained, and what the tutorials do not have.

    Args:
        training: network, optimizer, batch size, epochs and normalisation.
        rate_factor: what the learning rate is multiplied by after each epoch.
        shuffles_on_cpu: whether a processor sees the pictures in a new order each epoch.
    """

    training: Tutorial
    rate_factor: float = 1.0
    shuffles_on_cpu: bool = True


def example_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def adadelta(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adadelta(network.parameters(), lr=1.0)


PEERS: Mapping[str, Peer] = {
    "tutorial-loop": Peer(TUTORIALS["dropout-sgd"]),
    "pytorch-example": Peer(
        Tutorial(example_network, adadelta, 64, 14, 0.1307, 0.3081),
        rate_factor=0.7,
        shuffles_on_cpu=False,
    ),
}


def run(
    name: str, seed: int, data: str, data_dir: Path | None, epochs: int | None = None
) -> dict[str, Any]:
    """Trains one peer, on CUDA where there is one, and tests it after every epoch.

    Args:
        name: a key of ``PEERS``.
        seed: of torch's global generator, which draws weights, order and dropout.
        data: a data set of 28x28 grey pictures in ten classes.
        data_dir: where its files are looked for first.
        epochs: None takes the peer's own number.

    Returns:
        Seconds and test accuracy by epoch, ``train_seconds`` in all and the last
        ``test_accuracy``, beside what was asked for.

    Raises:
        DataError: where the files are missing or damaged.
    """
    peer = PEERS[name]
    training = peer.training
    runtime = Runtime(choose_runtime().device, "fp32")
    torch.manual_seed(seed)
    loaded = load_data_set(data, data_dir=data_dir)
    train_set, test_set = (_pictures(loaded.split(split), training) for split in ("train", "test"))
    shuffles = peer.shuffles_on_cpu or runtime.device.type != "cpu"
    batches = DataLoader(train_set, training.batch_size, shuffle=shuffles)
    network = training.make_network().to(runtime.device)
    warm_up(training, network, batches, runtime)
    optimizer = training.make_optimizer(network)
    seconds, accuracies = [], []
    for _ in range(epochs or training.epochs):
        seconds.append(train_one_epoch(network, optimizer, batches, runtime))
        with torch.random.fork_rng():
            test_batches = DataLoader(test_set, TEST_BATCH_SIZE)
            accuracies.append(accuracy_of(network, test_batches, runtime))
        lower_rate(optimizer, peer.rate_factor)
    return {
        "seed": seed,
        "num_parameters": sum(weight.numel() for weight in network.parameters()),
        "num_epochs": len(seconds),
        "device": str(runtime.device),
        "precision": runtime.precision,
        "seconds_per_epoch": seconds,
        "test_accuracy_per_epoch": accuracies,
        "train_seconds": sum(seconds),
        "test_accuracy": accuracies[-1],
    }


def lower_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Multiplies the learning rate by ``factor``: ``StepLR`` with a step of one epoch."""
    for group in optimizer.param_groups:
        group["lr"] *= factor


def _pictures(image_set: ImageSet, training: Tutorial) -> ImageDataset:
    pictures = image_set.images.squeeze(1).numpy()  # (pictures, height, width)
    labels = image_set.labels.numpy().astype(np.uint8)
    return ImageDataset(pictures, labels, training.mean, training.std)
