"""How cost grows with the number of pictures, and evaluation with the size of a batch.

Protocol: recipe ``fast`` trains one epoch on 10,000, 60,000, 240,000 and 960,000 pictures of
28x28: MNIST's training split, cut short or repeated, in memory as uint8. Every measurement is a
fresh process, and the sizes take turns. Before the clock ten steps are taken on a copy of the
network; the clock is that of the trainer, around the training loop alone. Peak memory is ``VmHWM``
at the end: the most that the process ever held, Python and torch included; what it had held before
it read the first picture stands beside it, and so do the pictures' own bytes.

Evaluation: pictures of the test split through the same network, in batches of 1, 64 and 1,000, from
uint8 pictures to logits on the processor; a part of them is evaluated once before the clock starts.
2,000 pictures one at a time, else 10,000.

    python benchmarks/growth.py                  3 repeats: measures, rewrites docs/speed.md
    python benchmarks/growth.py --render-only    rewrites it from the stored results
    python benchmarks/growth.py --data mnist-sample --pictures 500 2000 --repeats 1 --print-only
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clocked_training import split_of, untrained, warm_trainer
from growth_chart import growth_chart
from protocol import (
    ROOT,
    Spread,
    describe_run,
    fill_block,
    measured_on,
    peak_memory_bytes,
    read_results,
    run_fresh,
    spread,
    taking_turns,
    write_results,
)
from tellapart.errors import TellapartError
from tellapart.evaluation import predict_logits
from tellapart.files import write_whole
from tellapart.runtime import Stopwatch, choose_runtime, keep_freed_memory, place

NAME = "growth"
DOCUMENT = ROOT / "docs" / "speed.md"
CHART = ROOT / "docs" / "growth.svg"
RECIPE = "fast"
PICTURES = (10_000, 60_000, 240_000, 960_000)
# How many pictures are evaluated, by the size of the batch: one at a time is slow.
EVALUATED = {1: 2_000, 64: 10_000, 1_000: 10_000}
MIB = 2**20


def train_once(num_images: int, data: str, data_dir: Path | None) -> dict[str, Any]:
    """One epoch in this process: its seconds, and the most memory that was ever held."""
    before = peak_memory_bytes()
    train = split_of(data, "train", num_images, data_dir)
    (report,) = warm_trainer(RECIPE, train).epochs()
    return {
        "train_seconds": report.seconds,
        "peak_bytes": peak_memory_bytes(),
        "bytes_before": before,
        "image_bytes": train.images.numel(),
    }


def evaluate_once(batch_size: int, data: str, data_dir: Path | None) -> dict[str, Any]:
    """One evaluation of pictures in such batches in this process."""
    keep_freed_memory()
    num_images = EVALUATED[batch_size]
    runtime = choose_runtime()
    test = split_of(data, "test", num_images, data_dir)
    classifier = place(untrained(RECIPE, test), runtime)

    def read(images: Any) -> None:
        predict_logits(
            classifier,
            images,
            batch_size=batch_size,
            device=runtime.device,
            autocast=runtime.autocast,
        )

    read(test.images[: max(batch_size, num_images // 10)])
    with Stopwatch(runtime) as watch:
        read(test.images)
    return {"num_images": num_images, "seconds": watch.elapsed_seconds}


def measure(
    sizes: Sequence[int], repeats: int, data: str, data_dir: Path | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of training, by number of pictures, and of evaluation, by batch size."""
    training: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
    evaluation: dict[int, list[dict[str, Any]]] = {size: [] for size in EVALUATED}
    counts = {
        **{f"train {size}": repeats for size in sizes},
        **{f"evaluate {size}": repeats for size in EVALUATED},
    }
    for name, number in taking_turns(counts):
        kind, size = name.split()
        function, runs = (train_once, training) if kind == "train" else (evaluate_once, evaluation)
        runs[int(size)].append(run_fresh(function, int(size), data, data_dir))
        print(f"{name}, run {number}: {runs[int(size)][-1]}", file=sys.stderr)
    return (
        [training_row(size, runs) for size, runs in training.items()],
        [evaluation_row(size, runs) for size, runs in evaluation.items()],
    )


def training_row(num_images: int, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What one number of pictures cost."""
    seconds = [1e6 * run["train_seconds"] / num_images for run in runs]
    return {
        "num_images": num_images,
        "microseconds_per_image": spread(seconds).to_json(),
        "peak_mib": spread([run["peak_bytes"] / MIB for run in runs]).to_json(),
        "mib_before": spread([run["bytes_before"] / MIB for run in runs]).to_json(),
        "image_mib": runs[0]["image_bytes"] / MIB,
        "runs": list(runs),
    }


def evaluation_row(batch_size: int, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How fast one size of batch is."""
    rates = [run["num_images"] / run["seconds"] for run in runs]
    return {
        "batch_size": batch_size,
        "images_per_second": spread(rates).to_json(),
        "runs": list(runs),
    }


def training_table(results: Mapping[str, Any]) -> str:
    """The Markdown of training: chart, table and conditions."""
    rows = results["training"]
    lines = [
        "![Training time per picture and peak memory by the number of pictures](growth.svg)",
        "",
        "| pictures | training, µs per picture | epoch, s | peak memory, MiB "
        "| of which pictures | before reading them |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        time, peak = Spread(**row["microseconds_per_image"]), Spread(**row["peak_mib"])
        seconds = spread([run["train_seconds"] for run in row["runs"]])
        before = Spread(**row["mib_before"])
        cells = (
            *(f"{row['num_images']:,}", time.to_text(1), seconds.to_text(2), peak.to_text(0)),
            *(f"{row['image_mib']:.0f}", f"{before.mean:.0f}"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    settings = (
        f"Recipe `{results['recipe']}` on {results['data']}, one epoch; "
        f"mean ± sample std, n = {time.n}. {measured_on(results['environment'])}"
    )
    return "\n".join([*lines, "", settings])


def evaluation_table(results: Mapping[str, Any]) -> str:
    """The Markdown of evaluation."""
    lines = ["| batch | pictures per second | ms per batch |", "|---:|---:|---:|"]
    for row in results["evaluation"]:
        rate = Spread(**row["images_per_second"])
        batch = row["batch_size"]
        milliseconds = spread([1e3 * batch * r["seconds"] / r["num_images"] for r in row["runs"]])
        lines.append(f"| {batch:,} | {rate.to_text(0)} | {milliseconds.to_text(2)} |")
    settings = (
        f"The network of `{results['recipe']}` on {results['data']}; "
        f"mean ± sample std, n = {rate.n}. {measured_on(results['environment'])}"
    )
    return "\n".join([*lines, "", settings])


def render(results: Mapping[str, Any]) -> None:
    """Writes the chart and both tables."""
    write_whole(CHART, growth_chart(results["training"]))
    fill_block(DOCUMENT, NAME, training_table(results))
    fill_block(DOCUMENT, "evaluation", evaluation_table(results))


def main() -> int:
    arguments = parse_arguments()
    try:
        if arguments.render_only:
            render(read_results(NAME))
            return 0
        environment = describe_run(choose_runtime())
        training, evaluation = measure(
            arguments.pictures, arguments.repeats, arguments.data, arguments.data_dir
        )
        payload = {
            "recipe": RECIPE,
            "data": arguments.data,
            "training": training,
            "evaluation": evaluation,
            "environment": environment,
        }
        print(training_table(payload), evaluation_table(payload), sep="\n\n")
        if not arguments.print_only:
            write_results(NAME, payload)
            render(read_results(NAME))
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how cost grows with pictures.")
    parser.add_argument("--pictures", type=int, nargs="+", default=PICTURES)
    parser.add_argument("--repeats", type=int, default=3, help="of every size; default 3")
    parser.add_argument("--data", default="mnist", help="28x28 pictures; default mnist")
    parser.add_argument("--data-dir", type=Path, help="holds mnist/; default $TELLAPART_DATA")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    parser.add_argument("--print-only", action="store_true", help="store and render nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
