"""Training and decoding beside other programs, by how the threads of OpenMP wait.

A waiting thread of OpenMP spins before it sleeps, and so takes a core from the thread it waits for,
where another program wants the cores as well. The environment decides for how long.

Protocol. Each run is a command in a process of its own, on the processor: `fast` is training by
this recipe on all of mnist; `accurate` one epoch of it on 1,000 images per class; `decoding` is
`data prepare` of sign-digits with an empty cache. The company is nothing, another process with one
busy thread, or another process that trains the network of `fast` with torch as it comes; it has
begun before the clock starts. The whole command is timed from its start to its end, importing torch
included; of training also the loop alone, by the run's own clock. The settings are variables, set
before the process starts and otherwise unset; the command line's own choice is kept out of it. In
each round all settings are measured once in each company; one run before them is not counted.
Reported are every run, and the median with the least and the greatest.

    python benchmarks/company.py                   ten minutes; writes, rewrites the docs
    python benchmarks/company.py --tasks fast      six; the other tasks stay as they are stored
    python benchmarks/company.py --runs 1 --tasks fast --settings unset --dry-run    a look
    python benchmarks/company.py --render-only     rewrites the docs from the stored results
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from clocked_training import split_of, warm_trainer
from protocol import (
    RESULTS,
    ROOT,
    data_folder,
    describe_run,
    fill_block,
    measured_on,
    read_results,
    run_fresh,
    write_results,
)
from tellapart.errors import TellapartError
from tellapart.openmp import SPIN_COUNT, WAIT_VARIABLES
from tellapart.runtime import choose_runtime

NAME = "company"
DOCUMENT = ROOT / "docs" / "speed.md"

SPIN_COUNTS = (0, 1_000, 10_000, 100_000)
CHOSEN = f"GOMP_SPINCOUNT={SPIN_COUNT}"
SETTINGS = {
    "unset": {},
    **{f"GOMP_SPINCOUNT={count}": {"GOMP_SPINCOUNT": str(count)} for count in SPIN_COUNTS},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
COMPANIES = ("alone", "busy thread", "training")

# `fast` decides and has all settings; the others show what the choice changes for them.
TASKS = {"fast": tuple(SETTINGS), "accurate": ("unset", CHOSEN), "decoding": ("unset", CHOSEN)}
TRAINING = {
    "fast": ("mnist", "--recipe", "fast"),
    "accurate": ("mnist", "--recipe", "accurate", "--set", "epochs=1", "--shots", "1000"),
}
# Not `python -m tellapart`, which would set the variable itself.
COMMAND_LINE = "import sys; from tellapart.cli import run; sys.exit(run(sys.argv[1:]))"

MOST_IN_QUIET, MOST_IN_COMPANY = 1.1, 2.5
"""How much slower the chosen setting may be in quiet than unset, and in company than in quiet."""


def spin(has_begun: Event) -> None:
    """Keeps one thread busy until the process is ended."""
    has_begun.set()
    while True:
        pass


def train_on(has_begun: Event) -> None:
    """Trains the network of `fast`, over and over, until the process is ended."""
    train = split_of("mnist-sample", "train", 60_000, None)
    while True:
        trainer = warm_trainer("fast", train)
        has_begun.set()
        for _ in trainer.epochs():
            pass


@contextlib.contextmanager
def beside(company: str) -> Iterator[None]:
    """Has another process run, named as in ``COMPANIES``, which has begun when this is entered."""
    work = {"busy thread": spin, "training": train_on}.get(company)
    if work is None:
        yield
        return
    spawning = multiprocessing.get_context("spawn")
    has_begun = spawning.Event()
    process = spawning.Process(target=work, args=(has_begun,), daemon=True)
    process.start()
    try:
        while not has_begun.wait(timeout=1):
            if not process.is_alive():
                raise RuntimeError(f"the company {company!r} has ended with {process.exitcode}")
        yield
    finally:
        process.terminate()
        process.join()


def run_once(task: str, setting: str, data_dir: Path | None) -> dict[str, Any]:
    """Runs one command: ``command_seconds``, and ``train_seconds`` or None."""
    with tempfile.TemporaryDirectory() as folder:
        if task == "decoding":
            arguments = ["data", "prepare", str(data_folder(data_dir, "sign-digits"))]
        else:
            arguments = ["train", *TRAINING[task], "--json", "--device", "cpu"]
            arguments += ["--data-dir", str(data_folder(data_dir, "mnist").parent)]
            arguments += ["--out", str(Path(folder, "run"))]
        variables = SETTINGS[setting] | {"TELLAPART_CACHE": str(Path(folder, "cache"))}
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", COMMAND_LINE, *arguments],
            env={**os.environ, **variables},
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        command_seconds = time.perf_counter() - start
    train_seconds = None if task == "decoding" else json.loads(done.stdout)["train_seconds"]
    return {"command_seconds": command_seconds, "train_seconds": train_seconds}


def measure(
    task: str, settings: Sequence[str], companies: Sequence[str], runs: int, data_dir: Path | None
) -> dict[str, Any]:
    """All runs of a task, in the order in which they were made, and the conditions."""
    run_once(task, "unset", data_dir)
    measured = []
    for number, company in itertools.product(range(runs), companies):
        with beside(company):
            for setting in settings:
                run = run_once(task, setting, data_dir)
                measured.append({"setting": setting, "company": company, **run})
                seconds = ", ".join(f"{name} {value:.2f}" for name, value in run.items() if value)
                print(f"{task} {number + 1}: {setting}, {company}: {seconds}", file=sys.stderr)
    return {"runs": measured, "environment": run_fresh(environment)}


def environment() -> dict[str, Any]:
    """The machine as a process sees it in which no variable is set."""
    return dict(describe_run(choose_runtime("cpu")))


def seconds(
    task: dict[str, Any], setting: str, company: str, clock: str = "train_seconds"
) -> list[float]:
    """Every measured time; of the whole command where the task has no training.

    Args:
        task: its stored results.
        setting: one of ``SETTINGS``.
        company: one of ``COMPANIES``.
        clock: ``train_seconds`` or ``command_seconds``.
    """
    return [
        run["command_seconds"] if run[clock] is None else run[clock]
        for run in task["runs"]
        if (run["setting"], run["company"]) == (setting, company)
    ]


def ratios(task: dict[str, Any], setting: str) -> tuple[float | None, float | None]:
    """How much slower a setting is in quiet than unset, and in the worst company than in quiet.

    They are ratios of medians; None where one of the two was not measured.
    """
    medians = {
        (name, company): statistics.median(times)
        for name in ("unset", setting)
        for company in COMPANIES
        if (times := seconds(task, name, company))
    }
    alone, unset = medians.get((setting, "alone")), medians.get(("unset", "alone"))
    if alone is None:
        return None, None
    beside_others = [
        value
        for (name, company), value in medians.items()
        if name == setting and company != "alone"
    ]
    return (
        alone / unset if unset else None,
        max(beside_others) / alone if beside_others else None,
    )


def spread_text(times: Sequence[float]) -> str:
    """Median, least and greatest: ``1.5 (1.4 to 1.6)``."""
    if not times:
        return ""
    median = f"{statistics.median(times):.1f}"
    return median if len(times) == 1 else f"{median} ({min(times):.1f} to {max(times):.1f})"


def results_block(results: dict[str, Any]) -> str:
    """The Markdown between the two marks: a row for each task and setting, and the conditions."""
    lines = [
        "| | setting | alone, s | beside a busy thread, s | beside another training, s "
        "| the whole command, s | in quiet against unset | in company against quiet |",
        "|---|---|---:|---:|---:|---|---:|---:|",
    ]
    for name, task in results.items():
        for setting in TASKS[name]:
            loop = [spread_text(seconds(task, setting, company)) for company in COMPANIES]
            if not any(loop):
                continue
            whole = [seconds(task, setting, each, "command_seconds") for each in COMPANIES]
            medians = " / ".join(
                f"{statistics.median(each):.1f}" if each else "–" for each in whole
            )
            times = [f"{ratio:.2f}" if ratio else "" for ratio in ratios(task, setting)]
            mark = "**" if setting == CHOSEN else ""
            cells = (f"`{name}`", f"{mark}{setting}{mark}", *loop, medians, *times)
            lines.append(f"| {' | '.join(cells)} |")
    n = {len(seconds(task, "unset", "alone")) for task in results.values()}
    lines += [
        "",
        "Seconds of the training loop, of `decoding` those of the whole command: median (least to "
        f"greatest), n = {' and '.join(map(str, sorted(n)))}. The whole command: medians in the "
        "same three companies. The last two columns compare medians; the last one is of the worse "
        "company.",
        "",
        *dict.fromkeys(measured_on(task["environment"]) for task in results.values()),
    ]
    return "\n".join(lines)


def verdict(results: dict[str, Any]) -> str:
    """One line: whether the setting that the command line chooses stays within the two limits."""
    if "fast" not in results or None in (found := ratios(results["fast"], CHOSEN)):
        return f"{CHOSEN} was not measured in quiet and in company"
    quiet, company = found
    holds = quiet <= MOST_IN_QUIET and company <= MOST_IN_COMPANY
    return (
        f"{CHOSEN} {'stays within' if holds else 'EXCEEDS'} the limits: in quiet {quiet:.2f} times "
        f"unset (at most {MOST_IN_QUIET}), in company {company:.2f} times quiet (at most "
        f"{MOST_IN_COMPANY})"
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--companies", nargs="+", choices=COMPANIES, default=list(COMPANIES))
    parser.add_argument("--runs", type=int, default=3, help="of each task, setting and company")
    parser.add_argument("--data-dir", type=Path, help="holds mnist/ and sign-digits/")
    parser.add_argument("--dry-run", action="store_true", help="print, and write no result")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    # The company and all commands start from an environment in which nothing is decided.
    for name in (*WAIT_VARIABLES, "OMP_NUM_THREADS"):
        os.environ.pop(name, None)
    try:
        is_stored = (RESULTS / f"{NAME}.json").is_file()
        results = read_results(NAME) if is_stored or arguments.render_only else {}
        if arguments.dry_run:
            results = {}
        for task in () if arguments.render_only else arguments.tasks:
            settings = [name for name in TASKS[task] if name in arguments.settings]
            counts = arguments.companies, arguments.runs, arguments.data_dir
            results[task] = measure(task, settings, *counts)
            if not arguments.dry_run:
                write_results(NAME, results)
        block = results_block({name: results[name] for name in TASKS if name in results})
        if not arguments.dry_run:
            fill_block(DOCUMENT, NAME, block)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{block}\n\n{verdict(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
