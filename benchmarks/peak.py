"""How close training comes to the peak of the machine, and where its time goes.

Protocol: the peak is measured, not read from a data sheet: the fastest of several products of two
square matrices, 2 x side^3 operations, in fp32 and in bf16, after two that do not count. Each
recipe then trains one epoch of MNIST's 60,000 pictures, after ten steps on a copy of its network,
by the trainer's own clock. Its useful operations are counted as 3 x 2 x the multiply-adds of a
forward pass: a backward pass takes two products for each one of the forward. That is a little too
much, because the first layer needs no gradient of the pictures, and it leaves out norms, pooling,
activations and the optimizer, which multiply little and move a lot. The fraction is of the peak
in the precision that the recipe trains in.

The profile is torch's own, of some 50 steps of the same training. An operation's own time goes to
the kind of the outermost operation around it that has one, so a cast inside a convolution belongs
to the convolution. ``rest`` is what is left of the wall clock: picking pictures, casts, the loss,
Python, and the profiler's own work. Every measurement is a fresh process, and they take turns.

    python benchmarks/peak.py                  3 repeats: measures, rewrites docs/speed.md
    python benchmarks/peak.py --render-only    rewrites it from the stored results
    python benchmarks/peak.py --data mnist-sample --pictures 1000 --side 256 --steps 3 \
        --repeats 1 --print-only
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import profile, record_function

from clocked_training import split_of, warm_trainer
from protocol import (
    ROOT,
    Spread,
    describe_run,
    fill_block,
    measured_on,
    read_results,
    run_fresh,
    spread,
    taking_turns,
    write_results,
)
from tellapart.config import load_recipe, recipe_names
from tellapart.data.augment import augment
from tellapart.errors import TellapartError
from tellapart.models.cost import count_multiply_adds
from tellapart.runtime import Stopwatch, choose_runtime
from tellapart.training.torch_internals import take_step

NAME = "peak"
DOCUMENT = ROOT / "docs" / "speed.md"
RECIPES = ("fast", "accurate", "tutorial-dropout-sgd")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PRODUCTS, WARM_UP_PRODUCTS = 10, 2
TRAINER = "tellapart.training.trainer"
REST = "rest"
# Kind by kind, what marks an operation's name; scopes of the trainer first, then torch's names, in
# lower case. Backward passes come before the forward ones whose names they contain.
KINDS: Mapping[str, tuple[str, ...]] = {
    "augmentation": ("tellapart::augment",),
    "optimizer": ("tellapart::take_step",),
    "convolution, backward": ("convolutionbackward", "convolution_backward"),
    "convolution, forward": ("conv2d", "convolution"),
    "pooling": ("pool",),
    "norm": ("batch_norm", "batchnorm", "layer_norm", "layernorm"),
    "activation and dropout": ("relu", "threshold", "gelu", "silu", "dropout"),
    "products": ("linear", "addmm", "aten::mm", "mmbackward", "bmm", "matmul"),
}


def product_rates(precision: str, side: int) -> list[float]:
    """Operations a second of each of ten products of two ``side`` x ``side`` matrices."""
    runtime = choose_runtime()
    left, right = (
        torch.randn(side, side, device=runtime.device).to(DTYPES[precision]) for _ in range(2)
    )
    rates = []
    for _ in range(WARM_UP_PRODUCTS + PRODUCTS):
        with Stopwatch(runtime) as watch:
            torch.mm(left, right)
        rates.append(2 * side**3 / watch.elapsed_seconds)
    return rates[WARM_UP_PRODUCTS:]


def train_once(recipe: str, num_images: int, data: str, data_dir: Path | None) -> dict[str, Any]:
    """One epoch in this process: its speed, and the multiply-adds of an image."""
    trainer = warm_trainer(recipe, split_of(data, "train", num_images, data_dir))
    multiply_adds = count_multiply_adds(trainer.classifier.network, trainer.train.image_shape)
    (report,) = trainer.epochs()
    return {
        "batch_size": trainer.recipe.training.batch_size,
        "precision": trainer.runtime.precision,
        "multiply_adds": sum(multiply_adds.values()),
        "num_images": num_images,
        "train_seconds": report.seconds,
    }


def operations_per_second(run: Mapping[str, Any]) -> float:
    """Useful operations of training: 3 passes' worth, each multiply-add being two."""
    operations = 3 * 2 * int(run["multiply_adds"]) * int(run["num_images"])
    return operations / float(run["train_seconds"])


def profile_once(recipe: str, num_steps: int, data: str, data_dir: Path | None) -> dict[str, float]:
    """The fractions of the wall clock by kind, over so many steps."""
    num_images = num_steps * load_recipe(recipe).training.batch_size
    trainer = warm_trainer(recipe, split_of(data, "train", num_images, data_dir))
    with (
        patch(f"{TRAINER}.augment", scoped("augment", augment)),
        patch(f"{TRAINER}.take_step", scoped("take_step", take_step)),
        profile() as recorded,
    ):
        start = time.perf_counter()
        for _ in trainer.epochs():
            trainer.runtime.synchronize()
        seconds = time.perf_counter() - start
    events: Iterable[FunctionEvent] = recorded.events() or ()
    return fractions(events, 1e6 * seconds)


def scoped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` under a name of its own in the profile."""

    def recorded(*arguments: Any) -> Any:
        with record_function(f"tellapart::{name}"):
            return function(*arguments)

    return recorded


def kind_of(names: Iterable[str]) -> str:
    """The kind of an operation from its own name and those around it, the outermost first."""
    for name in names:
        lower = name.lower()
        for kind, marks in KINDS.items():
            if any(mark in lower for mark in marks):
                return kind
    return REST


def fractions(events: Iterable[FunctionEvent], wall_microseconds: float) -> dict[str, float]:
    """Each kind's fraction of the wall clock; the rest belongs to no kind."""
    microseconds = dict.fromkeys(KINDS, 0.0)
    for event in events:
        kind = kind_of(_names(event))
        if kind != REST:
            microseconds[kind] += event.self_cpu_time_total
    found = {kind: time / wall_microseconds for kind, time in microseconds.items()}
    return {**found, REST: max(0.0, 1 - sum(found.values()))}


def _names(event: FunctionEvent) -> list[str]:
    names: list[str] = []
    current: FunctionEvent | None = event
    while current is not None:
        names.append(current.name)
        current = current.cpu_parent
    return names[::-1]


def measure(recipes: Sequence[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """The products, and every recipe's runs and profile."""
    where = (arguments.data, arguments.data_dir)
    runs: dict[str, list[dict[str, Any]]] = {recipe: [] for recipe in recipes}
    rates: dict[str, list[float]] = {precision: [] for precision in DTYPES}
    counts = dict.fromkeys([*DTYPES, *recipes], arguments.repeats)
    for name, number in taking_turns(counts):
        if name in rates:
            rates[name] += run_fresh(product_rates, name, arguments.side)
        else:
            runs[name].append(run_fresh(train_once, name, arguments.pictures, *where))
        print(f"{name}, run {number}", file=sys.stderr)
    profiles = {
        recipe: run_fresh(profile_once, recipe, arguments.steps, *where) for recipe in recipes
    }
    return {
        "data": arguments.data,
        "side": arguments.side,
        "peak": {name: {"best": max(values), "all": values} for name, values in rates.items()},
        "recipes": {recipe: recipe_row(runs[recipe]) for recipe in recipes},
        "profile_steps": arguments.steps,
        "profiles": profiles,
    }


def recipe_row(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of one recipe's training."""
    rates = [run["num_images"] / run["train_seconds"] for run in runs]
    return {
        "images_per_second": spread(rates).to_json(),
        "operations_per_second": spread([operations_per_second(run) for run in runs]).to_json(),
        "runs": list(runs),
    }


def peak_table(results: Mapping[str, Any]) -> str:
    """The Markdown of the fractions of the peak."""
    peak = {name: rates["best"] for name, rates in results["peak"].items()}
    fastest = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {name}" for name, rate in peak.items())
    lines = [
        f"The fastest product of two matrices of {results['side']:,} x {results['side']:,}: "
        f"{fastest}.",
        "",
        "| recipe | batch | multiply-adds per picture, million | pictures per second "
        "| GFLOP/s | fraction of the peak |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for recipe, row in results["recipes"].items():
        run, used = row["runs"][0], Spread(**row["operations_per_second"])
        rate, precision = Spread(**row["images_per_second"]), run["precision"]
        cells = (
            *(f"`{recipe}`", str(run["batch_size"]), f"{run['multiply_adds'] / 1e6:.2f}"),
            *(rate.to_text(0), Spread(used.mean / 1e9, used.std / 1e9, used.n).to_text(1)),
            f"{100 * used.mean / peak[precision]:.1f} % of {precision}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    settings = (
        f"{run['num_images']:,} pictures of {results['data']}; "
        f"mean ± sample std, n = {rate.n}. {measured_on(results['environment'])}"
    )
    return "\n".join([*lines, "", settings])


def profile_table(results: Mapping[str, Any]) -> str:
    """The Markdown of where the time goes: a row a kind, a column a recipe."""
    profiles = results["profiles"]
    lines = [
        f"| fraction of the time, % | {' | '.join(f'`{recipe}`' for recipe in profiles)} |",
        f"|---|{'---:|' * len(profiles)}",
    ]
    for kind in (*KINDS, REST):
        cells = (f"{100 * profiled[kind]:.1f}" for profiled in profiles.values())
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    note = f"{results['profile_steps']} steps each, one process each, the profiler on."
    return "\n".join([*lines, "", note])


def render(results: Mapping[str, Any]) -> None:
    """Writes both tables."""
    fill_block(DOCUMENT, NAME, peak_table(results))
    fill_block(DOCUMENT, "profile", profile_table(results))


def main() -> int:
    arguments = parse_arguments()
    try:
        if arguments.render_only:
            render(read_results(NAME))
            return 0
        environment = describe_run(choose_runtime())
        known = recipe_names()
        recipes = arguments.recipes or [recipe for recipe in RECIPES if recipe in known]
        payload = {**measure(recipes, arguments), "environment": environment}
        print(peak_table(payload), profile_table(payload), sep="\n\n")
        if not arguments.print_only:
            write_results(NAME, payload)
            render(read_results(NAME))
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the used fraction of the peak.")
    parser.add_argument("--recipes", nargs="+", help=f"default those there are of {RECIPES}")
    parser.add_argument("--pictures", type=int, default=60_000, help="trained on; default 60000")
    parser.add_argument("--side", type=int, default=4096, help="of the matrices; default 4096")
    parser.add_argument("--steps", type=int, default=50, help="profiled; default 50")
    parser.add_argument("--repeats", type=int, default=3, help="of every measurement; default 3")
    parser.add_argument("--data", default="mnist", help="28x28 pictures; default mnist")
    parser.add_argument("--data-dir", type=Path, help="holds mnist/; default $TELLAPART_DATA")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    parser.add_argument("--print-only", action="store_true", help="store and render nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
