"""What the first command of the README gives, and the line of it in both READMEs.

Protocol: ``tellapart train`` as a process of its own, on the bundled ``mnist-sample`` (4,000 digits
to learn from, 1,000 to test on), seeds 0, 1, ...; the test split is read once per run, after the
last epoch. Seconds are those of the whole process, from its start to its end: importing torch,
training, evaluating, writing the report. One run more goes before, outside the clock, so that every
counted run finds the package's files in the system's cache.

    python benchmarks/first_command.py                  5 seeds: measures, rewrites the lines
    python benchmarks/first_command.py --render-only    rewrites them from the stored results
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from protocol import ROOT, describe_run, fill_block, read_results, spread, write_results
from tellapart.runtime import choose_runtime

NAME = "first_command"
DOCUMENTS = (ROOT / "README.md", ROOT / "README.zh-CN.md")


def run_once(seed: int) -> dict[str, Any]:
    """One process; what it printed as JSON, with its own seconds as ``process_seconds``."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tellapart", "train", "--seed", str(seed), "--json"]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--out", str(Path(folder, "run"))], check=True, capture_output=True
        )
        seconds = time.perf_counter() - start
    result: dict[str, Any] = json.loads(done.stdout)
    del result["run"]
    return {**result, "process_seconds": seconds}


def lines(results: dict[str, Any]) -> dict[str, str]:
    """The line of each README, by its file name."""
    runs, machine = results["runs"], results["environment"]
    accuracy = spread([100 * run["test_accuracy"] for run in runs]).to_text(2)
    seconds = spread([run["process_seconds"] for run in runs]).to_text(1)
    where = f"{machine['processor']}, {machine['cores']}"
    return {
        "README.md": f"**{accuracy} %** of 1,000 unseen handwritten digits classified correctly, "
        f"{seconds} s after the command was typed ({len(runs)} seeds, mean ± std; {where} cores).",
        "README.zh-CN.md": f"敲下命令 {seconds} 秒之后，1,000 张从未见过的手写数字认对了"
        f" **{accuracy} %**（{len(runs)} 个随机种子，均值 ± 标准差；{where} 核）。",
    }


def main() -> None:
    """Measures, unless only the lines are to be written again, and writes them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--render-only", action="store_true")
    arguments = parser.parse_args()
    if not arguments.render_only:
        run_once(0)
        runs = [run_once(seed) for seed in range(arguments.seeds)]
        write_results(NAME, {"runs": runs, "environment": describe_run(choose_runtime())})
    for path in DOCUMENTS:
        fill_block(path, "first-command", lines(read_results(NAME))[path.name])


if __name__ == "__main__":
    main()
