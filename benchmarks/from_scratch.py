"""Tutorial networks on torch's layers and on ``tellapart.ops``: the same losses, at what price.

Protocol: two tutorial recipes, one with SGD and one with Adam, as their articles ask but in fp32,
each three times from the same seed: on torch's layers, on ``tellapart.ops``, and on torch's layers
with oneDNN off. The last is the yardstick: torch then takes its other kernels, which add in another
order, so it differs from the first run by rounding alone, and the second is to differ no more than
that explains. Losses are the training loop's means over each epoch; seconds are that loop alone;
the test set is read once per run, after the last epoch.

    python benchmarks/from_scratch.py                measures, rewrites the table of docs/blocks.md
    python benchmarks/from_scratch.py --render-only  rewrites it from the stored results
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from protocol import ROOT, describe_run, fill_block, read_results, write_results
from tellapart.errors import TellapartError
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.runtime import choose_runtime, keep_freed_memory
from tellapart.workflow.train import train
from tutorials import conditions

DOCUMENT = ROOT / "docs" / "blocks.md"
RECIPES = ("tutorial-two-conv-5x5", "tutorial-lenet")
TORCH, SCRATCH, YARDSTICK = "torch", "from scratch", "torch without oneDNN"
WAYS = {TORCH: "torch", SCRATCH: "from_scratch", YARDSTICK: "torch"}


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Per recipe and way of computing: the losses of the epochs, the accuracy and the seconds."""
    keep_freed_memory()
    measured: dict[str, dict[str, Any]] = {}
    for recipe in RECIPES:
        measured[recipe] = {}
        for way, operations in WAYS.items():
            with without_onednn() if way == YARDSTICK else contextlib.nullcontext():
                measured[recipe][way] = train_once(recipe, operations, arguments)
            print(f"{recipe}: {way}", file=sys.stderr)
    return measured


@contextlib.contextmanager
def without_onednn() -> Iterator[None]:
    with warnings.catch_warnings():
        # It warns of graphics processors that have nothing to do with it.
        warnings.simplefilter("ignore", UserWarning)
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def train_once(recipe: str, operations: str, arguments: argparse.Namespace) -> dict[str, Any]:
    settings = ["training.precision=fp32", f"model.operations={operations}"]
    if arguments.epochs:
        settings.append(f"training.epochs={arguments.epochs}")
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            arguments.data,
            recipe=recipe,
            settings=settings,
            seed=arguments.seed,
            out=Path(folder, "run"),
            session=Session(data_dir=arguments.data_dir),
        )
        rows = RunFolder(result.run).read_metrics()
    return {
        "losses": [row["train_loss"] for row in rows],
        "test_accuracy": result.test_accuracy,
        "train_seconds": result.train_seconds,
    }


def table(results: dict[str, Any]) -> str:
    """The Markdown between the two marks: a row per recipe and way of computing."""
    lines = [
        "| recipe | computed by | training loss, first epoch | last epoch "
        "| largest difference from torch | test accuracy, % | training, s |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for recipe, ways in results["recipes"].items():
        for way, run in ways.items():
            difference = largest_difference(run["losses"], ways[TORCH]["losses"])
            cells = (
                *(f"`{recipe}`", way, f"{run['losses'][0]:.5f}", f"{run['losses'][-1]:.5f}"),
                "" if way == TORCH else f"{100 * difference:.2g} %",
                *(f"{100 * run['test_accuracy']:.2f}", f"{run['train_seconds']:.1f}"),
            )
            lines.append(f"| {' | '.join(cells)} |")
    settings = (
        f"On {results['data']} in fp32, seed {results['seed']}, one run each; the difference is "
        "relative, the largest of any epoch's."
    )
    return "\n".join([*lines, "", f"{settings} {conditions(results['environment'])}"])


def largest_difference(losses: list[float], reference: list[float]) -> float:
    """The largest relative difference of two losses of the same epoch."""
    pairs = zip(losses, reference, strict=True)
    return max(abs(loss / wanted - 1) for loss, wanted in pairs)


def main() -> int:
    arguments = parse_arguments()
    try:
        if not arguments.render_only:
            payload = {
                "data": arguments.data,
                "seed": arguments.seed,
                "recipes": measure(arguments),
                "environment": describe_run(choose_runtime(precision="fp32")),
            }
            write_results("from_scratch", payload)
        block = table(read_results("from_scratch"))
        fill_block(DOCUMENT, "from-scratch", block)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    print(block)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train tutorial networks on tellapart.ops.")
    parser.add_argument("--seed", type=int, default=0, help="of every run; default 0")
    parser.add_argument("--epochs", type=int, default=0, help="per run; default the recipe's")
    parser.add_argument("--data", default="mnist", help="default mnist")
    parser.add_argument("--data-dir", type=Path, help="holds mnist/; default $TELLAPART_DATA")
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
