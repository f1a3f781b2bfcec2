"""The leaderboards of both READMEs: recipes beside what people copy to begin with, on all of MNIST.

Protocol: every run is a process of its own, and all rows take turns, so that a machine that slows
down slows them all. A recipe trains one epoch on the small bundled sample before its clock starts,
a peer takes ten steps; the clock runs over the training loop alone and stops when the device has
finished. Recipes are tested once, after the last epoch. Peers are tested after every epoch, outside
the clock, to find when 99.0 % was first reached; nothing is chosen by it. "Typed to printed" are
the seconds of whole ``tellapart train mnist --recipe fast --json`` processes, with the package's
files in the system's cache. The tutorials' loop, five epochs, is timed in every run of this script,
and each row is compared with the loop that was timed beside it. Seeds are 0, 1, ...

Keras' example needs ``pip install keras jax``, here or in the Python that ``$KERAS_PYTHON`` names;
without them, the stored row is kept.

Every single run goes into ``benchmarks/results/leaderboard.json``, each row with its own machine,
versions, commit and command; the tables are written from that file and from nothing else. Rows can
be measured in parts: those that are named take the place of the stored ones, the others stay.

Fashion-MNIST has a smaller board of its own in the same file, by the same protocol.

    python benchmarks/leaderboard.py                    all rows; takes hours
    python benchmarks/leaderboard.py --data fashion-mnist      its board
    python benchmarks/leaderboard.py --recipes fast     one row, beside three runs of the loop
    python benchmarks/leaderboard.py --peers pytorch-example keras-example --seeds 3
    python benchmarks/leaderboard.py --render-only      writes the tables again
    python benchmarks/leaderboard.py --data mnist-sample --seeds 1 --epochs 1     a try: prints only
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import peers
import tellapart
from protocol import (
    RESULTS,
    ROOT,
    describe_run,
    fill_block,
    read_results,
    run_fresh,
    taking_turns,
    write_results,
)
from standings import CHINESE, ENGLISH, YARDSTICK, make_row, merge, table
from tellapart.config import load_recipe, recipe_names
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import TellapartError
from tellapart.runs.session import Session
from tellapart.runtime import choose_runtime, keep_freed_memory

NAME = "leaderboard"
DOCUMENTS = {"README.md": ENGLISH, "README.zh-CN.md": CHINESE}
KERAS = "keras-example"
PEERS = (*peers.PEERS, KERAS)


@dataclass(frozen=True)
class Board:
    """A table of the READMEs.

    Args:
        block: of the READMEs that it stands in.
        title: of the data.
        recipes: its rows that are recipes.
        peers: its other rows.
        target: the accuracy that seconds are taken to.
    """

    block: str
    title: str
    recipes: tuple[str, ...]
    peers: tuple[str, ...]
    target: float


BOARDS = {
    "mnist": Board("leaderboard", "MNIST", ("fast", "tiny", "accurate"), PEERS, 0.99),
    "fashion-mnist": Board(
        "leaderboard_fashion",
        "Fashion-MNIST",
        ("accurate-objects", "best-objects"),
        (YARDSTICK,),
        0.9,
    ),
}
# Its runs are seconds long, so more of them can be had.
SEEDS = {"fast": 10}
FEWER_SEEDS = 5
# Rows whose whole process is timed as well.
TIMED_COLD = ("fast",)
COLD = " typed to printed"


@dataclass(frozen=True)
class Task:
    """The task of every run; ``epochs`` is None where each row has its own number."""

    data: str
    data_dir: Path | None
    epochs: int | None

    @property
    def settings(self) -> list[str]:
        """The changes to a recipe."""
        return [f"epochs={self.epochs}"] if self.epochs else []


def run_recipe(recipe: str, seed: int, task: Task) -> dict[str, Any]:
    """One training in this process, after an epoch on the small sample."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        settings = [*task.settings, "epochs=1"]
        tellapart.train("mnist-sample", recipe=recipe, settings=settings, out=Path(folder, "first"))
        result = tellapart.train(
            task.data,
            recipe=recipe,
            settings=task.settings,
            seed=seed,
            out=Path(folder, "run"),
            session=Session(data_dir=task.data_dir),
        )
    return {key: value for key, value in result.to_json().items() if key != "run"}


def run_cold(recipe: str, seed: int, task: Task) -> dict[str, Any]:
    """What a typed command prints as JSON, with its own seconds as ``process_seconds``."""
    command = [sys.executable, "-m", "tellapart", "train", task.data, "--recipe", recipe]
    command += [word for setting in task.settings for word in ("--set", setting)]
    command += ["--data-dir", str(task.data_dir)] if task.data_dir else []
    with tempfile.TemporaryDirectory() as folder:
        command += ["--seed", str(seed), "--json", "--out", str(Path(folder, "run"))]
        start = time.perf_counter()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - start
    result = json.loads(done.stdout)
    return {key: value for key, value in result.items() if key != "run"} | {
        "process_seconds": seconds
    }


def run_keras(python: str, arrays: Path, seed: int, task: Task) -> dict[str, Any]:
    """One training of Keras' example, in a process of a Python that has it."""
    command = [python, str(ROOT / "benchmarks" / "keras_example.py"), str(arrays)]
    command += ["--seed", str(seed), *(["--epochs", str(task.epochs)] if task.epochs else [])]
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def has_keras(python: str) -> bool:
    """Whether ``python`` can import both Keras and JAX."""
    code = "import sys; from importlib.util import find_spec as find; "
    code += "sys.exit(not (find('keras') and find('jax')))"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def without_keras(python: str) -> str:
    """The message for a ``python`` that cannot import both."""
    return (
        f"{KERAS} is left as it is stored: {python} cannot import keras and jax; install them with "
        f"`{python} -m pip install keras jax`, or name a Python that has them in $KERAS_PYTHON"
    )


def choose_rows(
    board: Board,
    recipes: Sequence[str] | None,
    named_peers: Sequence[str] | None,
    known: Sequence[str],
) -> list[str]:
    """The rows to measure: those that were named, or all of the board's where none was.

    Args:
        board: the table they are for.
        recipes: as given on the command line; None where the option is absent.
        named_peers: likewise.
        known: the recipes that the package has.
    """
    if recipes is None and named_peers is None:
        return [*(recipe for recipe in board.recipes if recipe in known), *board.peers]
    return list(dict.fromkeys([*(recipes or ()), *(named_peers or ())]))


def plan_runs(rows: Sequence[str], num_seeds: int | None, num_loop_runs: int) -> dict[str, int]:
    """How often each row is run; with the tutorials' loop, and cold starts as rows of their own."""
    counts = {row: num_seeds or SEEDS.get(row, FEWER_SEEDS) for row in rows}
    cold = {row + COLD: counts[row] for row in rows if row in TIMED_COLD}
    # After the others: the first run of a turn has read every file that the cold start reads.
    return {YARDSTICK: num_loop_runs, **counts, **cold}


def measure(
    counts: Mapping[str, int], task: Task, keras_python: str
) -> dict[str, list[dict[str, Any]]]:
    """The runs of every row, in turns, each in a fresh process."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in counts}
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder, "mnist.npz")
        if KERAS in counts:
            write_arrays(arrays, task)
        for name, seed in taking_turns(counts):
            if name == KERAS:
                measured = run_keras(keras_python, arrays, seed, task)
            elif name in peers.PEERS:
                measured = run_fresh(peers.run, name, seed, task.data, task.data_dir, task.epochs)
            elif name.endswith(COLD):
                measured = run_cold(name.removesuffix(COLD), seed, task)
            else:
                measured = run_fresh(run_recipe, name, seed, task)
            runs[name].append(measured)
            seconds, accuracy = measured["train_seconds"], 100 * measured["test_accuracy"]
            print(f"{name}, seed {seed}: {seconds:.1f} s, {accuracy:.2f} %", file=sys.stderr)
    return runs


def write_arrays(path: Path, task: Task) -> None:
    """The data set in the one file, and under the names, that Keras keeps MNIST in."""
    data_set = load_data_set(task.data, data_dir=task.data_dir)
    train, test = data_set.split("train"), data_set.split("test")
    np.savez(
        path,
        x_train=train.images.squeeze(1).numpy(),  # (pictures, height, width)
        y_train=train.labels.numpy(),
        x_test=test.images.squeeze(1).numpy(),
        y_test=test.labels.numpy(),
    )


def make_rows(
    rows: Sequence[str],
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    environment: Mapping[str, Any],
    target: float,
) -> dict[str, dict[str, Any]]:
    """The rows that were asked for, from all runs by name."""
    return {
        row: make_row(runs[row], runs[YARDSTICK], environment, target, runs.get(row + COLD, ()))
        for row in rows
    }


def stored_rows() -> dict[str, dict[str, Any]]:
    """The stored rows of each board, by its data."""
    return read_results(NAME) if (RESULTS / f"{NAME}.json").exists() else {}


def render() -> None:
    """Writes the stored tables into both READMEs."""
    for data, rows in read_results(NAME).items():
        board = BOARDS[data]
        for name, wording in DOCUMENTS.items():
            text = table(rows, wording, data, board.title, board.target)
            fill_block(ROOT / name, board.block, text)


def main() -> int:
    arguments = parse_arguments()
    # Of other data, and with fewer epochs, nothing is stored: a try takes the form of the first.
    stores = arguments.data in BOARDS and not (arguments.epochs or arguments.print_only)
    board = BOARDS.get(arguments.data, BOARDS["mnist"])
    try:
        if arguments.render_only:
            render()
            return 0
        rows = choose_rows(board, arguments.recipes, arguments.peers, recipe_names())
        keras_python = os.environ.get("KERAS_PYTHON", sys.executable)
        if KERAS in rows and not has_keras(keras_python):
            rows.remove(KERAS)
            print(without_keras(keras_python), file=sys.stderr)
        for recipe in set(rows) - set(PEERS):
            load_recipe(recipe)  # report an unknown name now, not after an hour
        # The commit before the runs: they are runs of that one.
        environment = describe_run(choose_runtime())
        counts = plan_runs(rows, arguments.seeds, arguments.loop_runs)
        task = Task(arguments.data, arguments.data_dir, arguments.epochs)
        runs = measure(counts, task, keras_python)
        measured = make_rows(rows, runs, environment, board.target)
        title = board.title if stores else arguments.data
        print(table(measured, ENGLISH, arguments.data, title, board.target))
        if stores:
            stored = stored_rows()
            rows_of_board = merge(stored.get(arguments.data, {}), measured)
            path = write_results(NAME, {**stored, arguments.data: rows_of_board})
            render()
            print(f"written to {path}", file=sys.stderr)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train recipes and peers; write the leaderboard.")
    parser.add_argument("--recipes", nargs="*", help="default, if no peer is: all of the board")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, help="default, if no recipe is: all of the board"
    )
    parser.add_argument("--seeds", type=int, help="runs per row; default 10 for fast, else 5")
    parser.add_argument("--loop-runs", type=int, default=3, help="of the tutorials' loop, beside")
    parser.add_argument("--epochs", type=int, help="of every row, for a try; prints only")
    parser.add_argument("--data", default="mnist", help=f"of {list(BOARDS)}; another prints only")
    parser.add_argument(
        "--data-dir", type=Path, help="holds mnist/ or the like; default $TELLAPART_DATA"
    )
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    parser.add_argument("--print-only", action="store_true", help="store and render nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
