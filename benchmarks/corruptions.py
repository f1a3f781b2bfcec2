"""How classifiers of MNIST hold up on corrupted images: the error by kind of corruption.

    python benchmarks/corruptions.py                          all; minutes for each network
    python benchmarks/corruptions.py --networks fast          only these
    python benchmarks/corruptions.py --run accurate=runs/a    with a run that is there already
    python benchmarks/corruptions.py --render-only            fills docs/trust.md from the results

Protocol. ``fast``, ``accurate`` and ``robust`` are ``tellapart train mnist --recipe NAME --seed
0``. ``robust`` has seen veils and noise, relatives of some of the corruptions. The fourth is
the official PyTorch example (pytorch/examples, ``mnist/main.py``): its network, normalisation,
optimizer, batches and 14 epochs, the images in the order of the file as there on a processor, each
step computed as its script computes it. All learn from the same 60,000 images (of which tellapart
holds 2 % out to calibrate), and answer the same test images: 2,000, spread evenly over the test
split. Each is corrupted in fifteen ways and five strengths by ``tellapart.trust.corruptions`` with
seed 0, as ``tellapart evaluate --corrupted`` does, and predicted in fp32. The error is the mean
over the strengths, the last row over everything, with its 95 % interval over images. Nothing is
chosen by these figures.

The result goes to ``benchmarks/results/corruptions.json``, a network at a time, and is added to
what is there already; a table of it to docs/trust.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

import tellapart
from peers import PEERS, lower_rate
from protocol import (
    ROOT,
    describe_run,
    fill_block,
    measured_on,
    results_so_far,
    write_results,
)
from tellapart.data.image_set import DataSet
from tellapart.errors import DataError
from tellapart.evaluation import predict_logits
from tellapart.runtime import Runtime, choose_runtime
from tellapart.trust.corruptions.measuring import CorruptedAccuracy, measure_corrupted
from tutorial_loop import train_one_epoch

Answer = Callable[[torch.Tensor], torch.Tensor]
Batch = tuple[torch.Tensor, torch.Tensor]

_EXAMPLE = "pytorch-example"
_NETWORKS = ("robust", "accurate", "fast", _EXAMPLE)
_NUM_IMAGES = 2000
_PAGE = "docs/trust.md"
_CPU = torch.device("cpu")


def main() -> int:
    """Measure what is asked for, store each network, and fill the table."""
    options = _parser().parse_args()
    results = results_so_far("corruptions", "networks")
    if not options.render_only:
        torch.set_num_threads(options.threads)
        loaded = tellapart.load_data_set("mnist", data_dir=options.data_dir)
        given = dict(text.split("=", 1) for text in options.run)
        for name in options.networks:
            answer, facts = (
                _example(loaded, options.weights)
                if name == _EXAMPLE
                else _recipe(name, given.get(name), options)
            )
            measured = _measured(answer, loaded)
            results["environment"] = describe_run(choose_runtime("cpu", "fp32"))
            commit = results["environment"]["commit"]
            results["networks"][name] = {**facts, **measured.to_json(), "commit": commit}
            write_results("corruptions", results)
            print(name, f"mean error {100 * (1 - measured.accuracy):.2f} %", file=sys.stderr)
    table = _table(results)
    print(table)
    fill_block(ROOT / _PAGE, "corruptions", table)
    return 0


def _measured(answer: Answer, loaded: DataSet) -> CorruptedAccuracy:
    test = loaded.split("test")
    places = torch.arange(0, len(test), len(test) // _NUM_IMAGES)
    return measure_corrupted(test.images[places], test.labels[places], answer, "drawings")


def _recipe(
    name: str, run: str | None, options: argparse.Namespace
) -> tuple[Answer, dict[str, Any]]:
    """A classifier trained by a recipe, or that of a run."""
    session = tellapart.Session(device="cpu", threads=options.threads, data_dir=options.data_dir)
    with tempfile.TemporaryDirectory(prefix="tellapart-") as place:
        if run is None:
            trained = tellapart.train(
                "mnist", recipe=name, seed=0, out=place + "/run", session=session
            )
            run = str(trained.run)
        opened = tellapart.open_run(run, session=session)
        classifier, recipe = opened.classifier.to(_CPU), opened.recipe
    if recipe.name != name or recipe.training.seed != 0:
        raise DataError(f"--run {name}={run} was trained by {recipe.name}, seed 0 was asked for")
    return (
        lambda images: predict_logits(classifier, images, device=_CPU).argmax(1),
        {"recipe": name, "seed": 0, "num_epochs": recipe.training.epochs},
    )


def _example(loaded: DataSet, weights: Path | None) -> tuple[Answer, dict[str, Any]]:
    """The official example, trained here, or with the weights that an earlier call stored."""
    peer = PEERS[_EXAMPLE]
    training = peer.training

    def prepared(images: torch.Tensor) -> torch.Tensor:
        return (images.float() / 255 - training.mean) / training.std

    torch.manual_seed(0)
    network = training.make_network()
    if weights is not None and weights.exists():
        network.load_state_dict(torch.load(weights, weights_only=True))
    else:
        train = loaded.split("train")
        images, labels = prepared(train.images), train.labels
        size = training.batch_size
        batches = list(zip(images.split(size), labels.split(size), strict=True))
        _train(network, batches, training.epochs)
        if weights is not None:
            torch.save(network.state_dict(), weights)
    network.eval()

    @torch.no_grad()
    def answer(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([network(prepared(part)).argmax(1) for part in images.split(1000)])

    return answer, {"recipe": _EXAMPLE, "seed": 0, "num_epochs": training.epochs}


def _train(
    network: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]], epochs: int
) -> None:
    peer, runtime = PEERS[_EXAMPLE], Runtime(_CPU, "fp32")
    optimizer = peer.training.make_optimizer(network)
    for epoch in range(epochs):
        seconds = train_one_epoch(network, optimizer, batches, runtime)
        print(f"{_EXAMPLE}, epoch {epoch + 1} of {epochs}: {seconds:.0f} s", file=sys.stderr)
        lower_rate(optimizer, peer.rate_factor)


def _table(results: dict[str, Any]) -> str:
    found = {name: results["networks"][name] for name in _NETWORKS if name in results["networks"]}
    names = {name: f"`{name}`" for name in found} | {_EXAMPLE: "official PyTorch example"}
    lines = [
        "| error on MNIST | " + " | ".join(names[name] for name in found) + " |",
        "|---|" + "---:|" * len(found),
        "| as they are | "
        + " | ".join(f"{100 * (1 - one['clean_accuracy']):.2f} %" for one in found.values())
        + " |",
    ]
    kinds = [kind["kind"] for kind in next(iter(found.values()))["kinds"]]
    for place, kind in enumerate(kinds):
        errors = [100 * (1 - one["kinds"][place]["mean_accuracy"]) for one in found.values()]
        lines.append(f"| {kind} | " + " | ".join(f"{error:.1f} %" for error in errors) + " |")
    lines.append("| **mean of the fifteen** | " + " | ".join(map(_mean, found.values())) + " |")
    return "\n".join([*lines, "", measured_on(results["environment"])])


def _mean(one: dict[str, Any]) -> str:
    low, high = one["mean_accuracy_interval"]
    return f"**{100 * one['mean_error']:.1f} %** ({100 * (1 - high):.1f} to {100 * (1 - low):.1f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=_NETWORKS, default=_NETWORKS)
    parser.add_argument("--run", nargs="*", default=[], metavar="NAME=RUN", help="runs to take")
    parser.add_argument("--weights", type=Path, help="where the example's weights are, or go")
    parser.add_argument("--threads", type=int, default=1, help="of torch; default 1")
    parser.add_argument("--data-dir", type=Path, help="the folder of the data sets")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
