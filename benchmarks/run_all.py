"""Every benchmark, one after the other: all that is published here, measured again by one command.

Each script runs by itself in a new process and with its own defaults, so that its numbers are those
of its own protocol at full size; nothing else should run on the machine meanwhile. One that fails
does not keep others from running; what it had stored stays as it was, and the exit code is 1.

    python benchmarks/run_all.py                    everything; takes most of a day on two cores
    python benchmarks/run_all.py operations peak    only these
    python benchmarks/run_all.py --list             what there is, and what each measures
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NOT_RUN = {
    "tutorial_loop": "timed inside others",
    "keras_example": "run by the leaderboard, in a Python of its own",
    "run_all": "this one",
}


def benchmarks(folder: Path = FOLDER) -> dict[str, str]:
    """The first line of each benchmark's protocol by the benchmark's name, in alphabetical order.

    A benchmark is a script of this folder that can be run, but for those in ``NOT_RUN``.
    """
    found = {}
    for path in sorted(folder.glob("*.py")):
        text = path.read_text("utf-8")
        if path.stem not in NOT_RUN and '__name__ == "__main__"' in text:
            found[path.stem] = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return found


def run_all(commands: Mapping[str, list[str]]) -> list[str]:
    """Runs each command, reports the outcome, and returns the names of those that failed."""
    failed = []
    for number, (name, command) in enumerate(commands.items(), start=1):
        print(f"{number}/{len(commands)} {name}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        code = subprocess.run(command, check=False).returncode
        minutes = (time.perf_counter() - start) / 60
        outcome = f"failed with exit code {code}" if code else "done"
        print(f"{name}: {outcome} after {minutes:.1f} min", file=sys.stderr, flush=True)
        if code:
            failed.append(name)
    return failed


def main() -> int:
    known = benchmarks()
    parser = argparse.ArgumentParser(description="Run every benchmark and store what it measures.")
    parser.add_argument("names", nargs="*", help=f"default, all: {', '.join(known)}")
    parser.add_argument("--list", action="store_true", help="list them; run nothing")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    if arguments.list:
        for name, line in known.items():
            print(f"{name:16} {line}")
        return 0
    names = arguments.names or list(known)
    failed = run_all({name: [sys.executable, str(FOLDER / f"{name}.py")] for name in names})
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
