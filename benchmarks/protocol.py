"""What all benchmarks share: the conditions reported with each number, and the result files.

A measured number means little without its protocol. So each file in ``benchmarks/results/`` holds,
beside its numbers, the machine, the versions, the commit and the command that gave them, and every
single measurement beside the mean and the std.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import DataError
from tellapart.files import write_whole
from tellapart.runtime import Runtime, describe_environment

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Spread:
    """Mean and std of repeated measurements.

    Args:
        mean: arithmetic mean.
        std: sample standard deviation (n - 1); 0 where there is one measurement.
        n: how many measurements.
    """

    mean: float
    std: float
    n: int

    def to_text(self, digits: int) -> str:
        """The spread for a table: ``99.12 ± 0.05``; no std where n is 1."""
        mean = f"{self.mean:.{digits}f}"
        return mean if self.n == 1 else f"{mean} ± {self.std:.{digits}f}"

    def to_json(self) -> dict[str, float | int]:
        """The three numbers by name."""
        return {"mean": self.mean, "std": self.std, "n": self.n}


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample std of at least one value."""
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(statistics.fmean(values), std, len(values))


def taking_turns(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Name and number of every run, each name's runs spread evenly over the whole.

    A machine that slows down then slows all of them, however many runs each has.
    """
    places = [
        ((number + 0.5) / count, name, number)
        for name, count in counts.items()
        for number in range(count)
    ]
    return [(name, number) for _, name, number in sorted(places, key=lambda place: place[0])]


def run_fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)`` from a new process, which has ended when this returns."""
    spawning = multiprocessing.get_context("spawn")
    # A pool that is kept would start its next process while something else is being timed.
    with ProcessPoolExecutor(1, mp_context=spawning) as process:
        return process.submit(function, *arguments).result()


def peak_memory_bytes(status: str | None = None) -> int:
    """The most memory that this process has held at once (Linux: ``VmHWM``).

    Args:
        status: the content of ``/proc/self/status``; None reads it.

    Raises:
        DataError: where the system does not report it.
    """
    with contextlib.suppress(OSError):
        status = Path("/proc/self/status").read_text("utf-8") if status is None else status
    for line in (status or "").splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise DataError("peak memory is VmHWM in /proc/self/status, which is not there; use Linux")


def describe_run(runtime: Runtime) -> dict[str, Any]:
    """The machine, the versions, the commit and the command of this process."""
    return {
        **describe_environment(runtime),
        "commit": _commit(),
        "command": shlex.join(["python", _relative(Path(sys.argv[0])), *sys.argv[1:]]),
    }


def measured_on(environment: Mapping[str, Any]) -> str:
    """One sentence with the hardware, the versions, the commit and the command."""
    hardware = environment.get("gpu", environment["processor"])
    return (
        f"{hardware}, {environment['cores']} cores, torch on {environment['threads']} of them, "
        f"{environment['precision']}; Python {environment['python']}, torch {environment['torch']},"
        f" tellapart {environment['tellapart']}, commit {environment['commit']}; "
        f"`{environment['command']}`."
    )


def data_folder(given: Path | None, name: str) -> Path:
    """The folder of one data set: ``given/name``, else ``$TELLAPART_DATA/name``.

    Raises:
        DataError: where neither is set or the folder does not exist.
    """
    root = given or (Path(os.environ["TELLAPART_DATA"]) if "TELLAPART_DATA" in os.environ else None)
    if root is None:
        raise DataError(
            f"a folder that holds {name}/ is needed; give --data-dir DIR or set TELLAPART_DATA"
        )
    folder = root / name
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; --data-dir is to hold {name}/")
    return folder


def write_results(name: str, payload: Mapping[str, Any]) -> Path:
    """Writes ``benchmarks/results/NAME.json`` whole and returns its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    write_whole(path, json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def read_results(name: str) -> dict[str, Any]:
    """The content that ``write_results`` wrote.

    Raises:
        DataError: where nothing was measured yet.
    """
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        raise DataError(f"{path} does not exist; run benchmarks/{name}.py to measure it")
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def results_so_far(name: str, entries: str) -> dict[str, Any]:
    """The content that ``write_results`` wrote, or one with no ``entries`` where there is none."""
    return read_results(name) if (RESULTS / f"{name}.json").is_file() else {entries: {}}


def fill_block(document: Path, name: str, block: str) -> None:
    """Replaces the text between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``.

    Raises:
        DataError: where the document does not have each mark once, in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    text = document.read_text("utf-8")
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise DataError(f"{document} must hold {begin} and, after it, {end}, once each")
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    write_whole(document, f"{before}{begin}\n{block}\n{end}{after}")


def _relative(script: Path) -> str:
    resolved = script.resolve()
    return str(resolved.relative_to(ROOT)) if resolved.is_relative_to(ROOT) else script.name


def _commit() -> str:
    # A tree with changes is not the commit it started from, so the result states it.
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    changed_sources = [line for line in changed.splitlines() if "benchmarks/results/" not in line]
    return f"{commit} with changes" if changed_sources else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()
