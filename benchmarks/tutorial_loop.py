"""The tutorials' own way to train, as the yardstick that ``tellapart`` is measured against.

It does what five tutorials and most scripts like them do, with their mistakes corrected and nothing
slowed down: a ``Dataset`` whose ``__getitem__`` turns one picture at a time into a Pillow
image, the image into a float tensor in 0..1, and normalises it (what torchvision's ``MNIST`` with
``ToTensor`` and ``Normalize`` does, without the need for torchvision); a ``DataLoader`` that
shuffles, with ``num_workers`` at its default 0 as the articles leave it; an fp32 network in NCHW;
``zero_grad``, forward, loss, ``backward``, ``step``; torch's own optimizers. The mean and the
std are made tensors once, where torchvision makes them anew for every picture.

Protocol: one epoch is all 60,000 training pictures, timed by the wall clock from before the loader
is asked for its first batch until the device has finished the last step. Reading the files, making
the network, ten warm-up steps on a copy of the network and the evaluation are outside the clock.
The test set is read once, after the last epoch. Give n with the number: ``tutorial_speed.py``
repeats this loop over seeds and reports mean and std, hardware and versions.

    python benchmarks/tutorial_loop.py --epochs 1 --data-dir DIR     (DIR holds mnist/)
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from protocol import data_folder, describe_run
from tellapart.data.sets.idx import read_idx_pair
from tellapart.errors import TellapartError
from tellapart.runtime import Runtime, choose_runtime
from tutorial_networks import TUTORIALS, Tutorial

WARM_UP_STEPS = 10
TEST_BATCH_SIZE = 1000

Pixels = NDArray[np.uint8]
Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


class ImageDataset(Dataset[tuple[torch.Tensor, int]]):
    """Pictures handed out one at a time, as torchvision's ``MNIST`` hands them out."""

    def __init__(self, pictures: Pixels, labels: Pixels, mean: float, std: float) -> None:
        self.pictures = pictures  # (pictures, height, width)
        self.labels = labels  # (pictures,)
        self.mean = torch.tensor([mean]).view(-1, 1, 1)
        self.std = torch.tensor([std]).view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.pictures[index])
        pixels = torch.from_numpy(np.array(image, copy=True))
        pixels = (
            pixels.view(image.height, image.width, 1).permute(2, 0, 1).contiguous()
        )  # (C, H, W)
        scaled = pixels.to(torch.float32).div(255)
        return scaled.sub(self.mean).div_(self.std), int(self.labels[index])


def read_split(folder: Path, split: str) -> tuple[Pixels, Pixels]:
    """Pictures and labels of ``train`` or ``t10k`` from MNIST's files, raw or gzipped."""
    images, labels = (
        plain if plain.exists() else plain.with_name(f"{plain.name}.gz")
        for plain in (folder / f"{split}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))
    )
    pair = read_idx_pair(images, labels)
    return pair[0].array, pair[1].array


def train_one_epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches, runtime: Runtime
) -> float:
    """One pass of the loop that every tutorial prints; returns its seconds."""
    network.train()
    runtime.synchronize()
    start = time.perf_counter()
    for images, labels in batches:
        images, labels = images.to(runtime.device), labels.to(runtime.device)
        optimizer.zero_grad()
        # On logits: the articles' log-softmax before this loss changes nothing and is left out.
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    runtime.synchronize()
    return time.perf_counter() - start


@torch.no_grad()
def accuracy_of(network: nn.Module, batches: Batches, runtime: Runtime) -> float:
    """Fraction of images classified correctly, dropout off."""
    network.eval()
    num_correct = num_images = 0
    for images, labels in batches:
        predictions = network(images.to(runtime.device)).argmax(dim=1).cpu()
        num_correct += int((predictions == labels).sum())
        num_images += len(labels)
    return num_correct / num_images


def warm_up(tutorial: Tutorial, network: nn.Module, batches: Batches, runtime: Runtime) -> None:
    """Ten steps on a copy, so that one-time costs fall outside the clock."""
    # The generators are put back: the warm-up is not to change what the clocked epochs draw.
    with torch.random.fork_rng():
        scratch = copy.deepcopy(network)
        few_batches = list(itertools.islice(batches, WARM_UP_STEPS))
        train_one_epoch(scratch, tutorial.make_optimizer(scratch), few_batches, runtime)


def run(
    network: str,
    epochs: int | None,
    seed: int,
    data_dir: Path | None,
    *,
    num_workers: int = 0,
) -> dict[str, Any]:
    """Trains one tutorial network its article's way, on CUDA where there is one.

    Args:
        network: a key of ``TUTORIALS``.
        epochs: passes over the training pictures; ``None`` takes the article's number.
        seed: of torch's global generator, which draws weights, order and dropout.
        data_dir: holds ``mnist/``; ``None`` takes ``$TELLAPART_DATA``.
        num_workers: processes that load pictures; 0 loads them in this one.

    Returns:
        ``seconds_per_epoch`` (one number per epoch, the training loop alone), ``train_seconds``
        (their sum) and ``test_accuracy`` (a fraction), beside what the run was asked for.

    Raises:
        DataError: where the files are missing or damaged.
    """
    tutorial = TUTORIALS[network]
    folder = data_folder(data_dir, "mnist")
    runtime = Runtime(choose_runtime().device, "fp32")
    torch.manual_seed(seed)
    train_set, test_set = (
        ImageDataset(*read_split(folder, split), tutorial.mean, tutorial.std)
        for split in ("train", "t10k")
    )
    batches = DataLoader(train_set, tutorial.batch_size, shuffle=True, num_workers=num_workers)
    model = tutorial.make_network().to(runtime.device)
    warm_up(tutorial, model, batches, runtime)
    optimizer = tutorial.make_optimizer(model)
    seconds = [
        train_one_epoch(model, optimizer, batches, runtime)
        for _ in range(tutorial.epochs if epochs is None else epochs)
    ]
    return {
        "network": network,
        "seed": seed,
        "num_epochs": len(seconds),
        "num_workers": num_workers,
        "device": str(runtime.device),
        "precision": runtime.precision,
        "seconds_per_epoch": seconds,
        "train_seconds": sum(seconds),
        "test_accuracy": accuracy_of(model, DataLoader(test_set, TEST_BATCH_SIZE), runtime),
    }


def main() -> int:
    arguments = parse_arguments()
    try:
        measured = run(
            arguments.network,
            arguments.epochs,
            arguments.seed,
            arguments.data_dir,
            num_workers=arguments.workers,
        )
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    conditions = describe_run(Runtime(choose_runtime().device, "fp32"))
    print(json.dumps({**measured, "environment": conditions}, indent=2))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train as the tutorials do, and time it.")
    parser.add_argument("--network", choices=TUTORIALS, default="dropout-sgd")
    parser.add_argument("--epochs", type=int, help="the article's number, if left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path, help="holds mnist/; default $TELLAPART_DATA")
    parser.add_argument("--workers", type=int, default=0, help="of the DataLoader; default 0")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
