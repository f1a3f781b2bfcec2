"""``tellapart`` beside the tutorials' own loop: seconds per epoch and test accuracy.

Protocol: the same network, optimizer, batch size, epochs, normalisation, training pictures and
seeds on both sides, on the same device with the same number of threads. Each run has a process of
its own, as it would have at home: ``tellapart`` tells the allocator to keep freed memory, which in
a shared process would speed up the loop as well. The two sides take turns, and each seed begins
with the other side, so that a machine that slows down slows both. Both clocks run over the training
loop alone and stop when the device has finished; reading the files and the evaluation are outside.
Before its clock the loop takes ten steps on a copy of its network, and ``tellapart`` trains one
epoch on its small bundled sample. The test set is used once per run, after the last epoch. Reported
are every run, the mean and the sample std over the seeds, and the ratio of the two means.

What differs is what is being compared: how pictures reach the network, the memory layout, and the
precision, which ``tellapart`` chooses by the machine and which stands in the result.

    python benchmarks/tutorial_speed.py                      3 seeds, 5 epochs; takes minutes
    python benchmarks/tutorial_speed.py --seeds 1 --epochs 1
    python benchmarks/tutorial_speed.py --render-only        rewrites the READMEs from the results
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import tellapart
import tutorial_loop
from protocol import (
    ROOT,
    Spread,
    describe_run,
    fill_block,
    read_results,
    spread,
    write_results,
)
from tellapart.errors import TellapartError
from tellapart.runs.session import Session
from tellapart.runtime import choose_runtime, keep_freed_memory

NAME = "tutorial_speed"
RECIPE = "tutorial-dropout-sgd"
NETWORK = "dropout-sgd"
LOOP, TELLAPART = SIDES = ("tutorial_loop", "tellapart")


def run_loop(epochs: int, seed: int, data_dir: Path | None) -> dict[str, Any]:
    """One run of the tutorials' loop."""
    return tutorial_loop.run(NETWORK, epochs, seed, data_dir)


def run_tellapart(epochs: int, seed: int, data_dir: Path | None) -> dict[str, Any]:
    """One run of the package, in the same terms as ``tutorial_loop.run``."""

    def train(data: str, num_epochs: int) -> dict[str, Any]:
        return tellapart.train(
            data,
            recipe=RECIPE,
            settings=[f"epochs={num_epochs}"],
            seed=seed,
            out=Path(folder, data),
            session=Session(data_dir=data_dir),
        ).to_json()

    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        train("mnist-sample", 1)
        # The recipe holds no validation part out: both sides learn from the same 60,000 pictures.
        return {key: value for key, value in train("mnist", epochs).items() if key != "run"}


def measure(num_seeds: int, epochs: int, data_dir: Path | None) -> dict[str, list[dict[str, Any]]]:
    """Both sides for every seed, taking turns, each run in a fresh process."""
    run = {LOOP: run_loop, TELLAPART: run_tellapart}
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        for seed in range(num_seeds):
            for side in SIDES if seed % 2 == 0 else reversed(SIDES):
                measured = processes.submit(run[side], epochs, seed, data_dir).result()
                runs[side].append(measured)
                seconds = measured["train_seconds"] / measured["num_epochs"]
                print(f"seed {seed}: {side} {seconds:.2f} s per epoch", file=sys.stderr)
    return runs


def seconds_per_epoch(runs: list[dict[str, Any]]) -> Spread:
    return spread([run["train_seconds"] / run["num_epochs"] for run in runs])


def accuracy_percent(runs: list[dict[str, Any]]) -> Spread:
    return spread([100 * run["test_accuracy"] for run in runs])


def table(runs: dict[str, list[dict[str, Any]]], ratio: float) -> str:
    """The comparison, for people."""
    lines = [f"{'':15}{'seconds per epoch':>20}{'test accuracy, %':>20}"]
    for side in SIDES:
        seconds, accuracy = seconds_per_epoch(runs[side]), accuracy_percent(runs[side])
        lines.append(f"{side:15}{seconds.to_text(2):>20}{accuracy.to_text(2):>20}")
    lines.append(f"an epoch is {ratio:.2f} times as fast (n = {len(runs[LOOP])} on each side)")
    return "\n".join(lines)


def lines(results: dict[str, Any]) -> dict[str, str]:
    """The comparison in a paragraph, for each README by its file name."""
    seconds = {side: Spread(**results[side]["seconds_per_epoch"]) for side in SIDES}
    accuracy = {side: Spread(**results[side]["test_accuracy_percent"]) for side in SIDES}
    ours, theirs = seconds[TELLAPART].to_text(1), seconds[LOOP].to_text(1)
    good, others = accuracy[TELLAPART].to_text(2), accuracy[LOOP].to_text(2)
    n, ratio, machine = seconds[LOOP].n, results["ratio_per_epoch"], results["environment"]
    where = f"{machine['processor']}, {machine['threads']}"
    how = f"torch {machine['torch']}, `{machine['command']}`"
    epochs = results[LOOP]["runs"][0]["num_epochs"]
    return {
        "README.md": f"The tutorials' first network, with its article's settings on all of MNIST "
        f"for {epochs} epochs: **{ours} s** an epoch here, {theirs} s in the tutorials' own loop "
        f"(a dataset object, a DataLoader, a transform per picture), **{ratio:.1f} times** as "
        f"fast, at {good} % against {others} % test accuracy (mean ± std, {n} seeds; "
        f"{where} threads, {how}).",
        "README.zh-CN.md": f"教程的第一个网络，按文章的设置在完整 MNIST 上训练 {epochs} 轮："
        f"这里每轮 **{ours} 秒**，教程自己的循环（Dataset 对象、DataLoader、逐张变换）"
        f"每轮 {theirs} 秒，快 **{ratio:.1f} 倍**；测试准确率 {good} % 对 {others} %"
        f"（均值 ± 标准差，{n} 个随机种子；{where} 线程，{how}）。",
    }


def render(results: dict[str, Any]) -> None:
    """Writes the paragraph into both READMEs."""
    for document, line in lines(results).items():
        fill_block(ROOT / document, "tutorial-speed", line)


def main() -> int:
    arguments = parse_arguments()
    try:
        if arguments.render_only:
            render(read_results(NAME))
            return 0
        runs = measure(arguments.seeds, arguments.epochs, arguments.data_dir)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    ratio = seconds_per_epoch(runs[LOOP]).mean / seconds_per_epoch(runs[TELLAPART]).mean
    summaries = {
        side: {
            "seconds_per_epoch": seconds_per_epoch(runs[side]).to_json(),
            "test_accuracy_percent": accuracy_percent(runs[side]).to_json(),
            "runs": runs[side],
        }
        for side in SIDES
    }
    conditions = describe_run(choose_runtime())
    payload = {"recipe": RECIPE, "ratio_per_epoch": ratio, **summaries, "environment": conditions}
    print(table(runs, ratio))
    print(f"written to {write_results(NAME, payload)}", file=sys.stderr)
    render(payload)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time tellapart beside the tutorials' loop.")
    parser.add_argument("--seeds", type=int, default=3, help="runs on each side; default 3")
    parser.add_argument("--epochs", type=int, default=5, help="per run; default 5")
    parser.add_argument("--data-dir", type=Path, help="holds mnist/; default $TELLAPART_DATA")
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
