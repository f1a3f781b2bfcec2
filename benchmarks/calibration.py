"""What calibration gives and costs: calibration error and loss before and after, accuracy and time.

    python benchmarks/calibration.py                        all; ``accurate`` takes minutes a seed
    python benchmarks/calibration.py --rows small-data fast
    python benchmarks/calibration.py --render-only          fills docs/trust.md from the results

Protocol. Each figure is of ``tellapart train`` in a process of its own on one thread, with
everything left at its default but for ``--seed``, 0 to 4, and for folders of photographs also
``data.split_seed``, the same number. ``off`` is the same with ``data.calibration_fraction=0``: the
classifier is then not calibrated and is trained on all images. Both take turns, so that a machine
that slows down slows both. The time is of the whole command in processor seconds, which other
programs on the machine change less than the clock. The calibration error is that of the test split
in 15 bins, read once, after training; ``before`` is the same classifier without its temperature.
The band is what a perfectly calibrated classifier would show on as many images, with 95 % chance.

``small-data`` is trained on mnist-sample, ``fast`` and ``accurate`` on MNIST; ``ants-bees``,
``sign-digits`` and ``solar-cells`` are ``--preset quick``, which is calibrated by cross-validation
and holds nothing out, so that there is nothing to compare it with.

The result goes to ``benchmarks/results/calibration.json``, a run at a time, and is added to what is
there already; a table of it to docs/trust.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from protocol import (
    ROOT,
    data_folder,
    describe_run,
    fill_block,
    measured_on,
    results_so_far,
    run_fresh,
    spread,
    write_results,
)
from tellapart.runtime import choose_runtime

_RECIPES = {"small-data": "mnist-sample", "fast": "mnist", "accurate": "mnist"}
_FOLDERS = ("ants-bees", "sign-digits", "solar-cells")
_PAGE = "docs/trust.md"


def main() -> int:
    """Measure what is asked for, store each run, and fill the table."""
    options = _parser().parse_args()
    results = results_so_far("calibration", "runs")
    if not options.render_only:
        for seed in range(options.seeds):
            for row in options.rows:
                for way in ("on", "off") if row in _RECIPES else ("on",):
                    key = f"{row} {way} {seed}"
                    if key in results["runs"]:
                        continue
                    run = run_fresh(_train, row, way, seed, options.data_dir)
                    print(key, run, file=sys.stderr, flush=True)
                    results["environment"] = describe_run(choose_runtime("cpu", "auto"))
                    results["runs"][key] = {**run, "commit": results["environment"]["commit"]}
                    write_results("calibration", results)
    table = _table(results)
    print(table)
    fill_block(ROOT / _PAGE, "calibration", table)
    return 0


def _train(row: str, way: str, seed: int, data_dir: Path | None) -> dict[str, Any]:
    """One command, and what it found."""
    import tellapart

    with tempfile.TemporaryDirectory(prefix="tellapart-") as place:
        settings: dict[str, Any] = {} if way == "on" else {"data.calibration_fraction": 0.0}
        if row in _FOLDERS:
            settings["data.split_seed"] = seed
        started, used = time.perf_counter(), time.process_time()
        result = tellapart.train(
            _RECIPES[row] if row in _RECIPES else _prepared(row, data_dir, Path(place)),
            recipe=row if row in _RECIPES else None,
            preset=None if row in _RECIPES else "quick",
            settings=settings,
            seed=seed,
            out=f"{place}/run",
            session=tellapart.Session(data_dir=data_dir, threads=1),
        )
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    test = result.test
    assert test is not None
    return {
        "recipe": result.recipe,
        "num_images": test.num_images,
        "accuracy": test.accuracy,
        "calibrated_on": result.calibrated_on,
        "temperature": result.temperature,
        "calibration_error": test.expected_calibration_error,
        "band": list(test.expected_calibration_error_band),
        "loss": test.loss,
        "uncalibrated_error": test.uncalibrated_calibration_error,
        "uncalibrated_loss": test.uncalibrated_loss,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
    }


def _prepared(folder: str, data_dir: Path | None, place: Path) -> Path:
    """The folder or table as it is given to the command."""
    source = data_folder(data_dir, folder)
    if folder == "solar-cells":
        return source / "cells.csv"
    if folder == "ants-bees":
        for given, name in (("train", "train"), ("val", "test")):
            shutil.copytree(source / given, place / folder / name)
        return place / folder
    return source


def _table(results: dict[str, Any]) -> str:
    lines = [
        "| trained by | images tested | seeds | calibration error | before | perfectly calibrated |"
        " loss | before | temperature | accuracy | not calibrated | processor time |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in (*_RECIPES, *_FOLDERS):
        runs = [run for key, run in results["runs"].items() if key.startswith(f"{row} on ")]
        others = [run for key, run in results["runs"].items() if key.startswith(f"{row} off ")]
        if runs:
            lines.append(_row(row, runs, others))
    return "\n".join([*lines, "", measured_on(results["environment"])])


def _row(row: str, runs: list[dict[str, Any]], others: list[dict[str, Any]]) -> str:
    def mean(name: str, digits: int, scale: float = 100, of: list[dict[str, Any]] = runs) -> str:
        return spread([scale * run[name] for run in of]).to_text(digits)

    low, high = (spread([100 * run["band"][end] for run in runs]).mean for end in (0, 1))
    time_on = spread([run["cpu_seconds"] for run in runs]).mean
    time_off = spread([run["cpu_seconds"] for run in others]).mean if others else None
    return (
        "| "
        + " | ".join(
            [
                f"`{row}`" if row in _RECIPES else f"{row}, `--preset quick`",
                f"{runs[0]['num_images']:,}",
                str(len(runs)),
                f"{mean('calibration_error', 2)} %",
                f"{mean('uncalibrated_error', 2)} %",
                f"{low:.2f} to {high:.2f} %",
                mean("loss", 4, 1),
                mean("uncalibrated_loss", 4, 1),
                mean("temperature", 2, 1),
                f"{mean('accuracy', 2)} %",
                f"{mean('accuracy', 2, of=others)} %" if others else "the same",
                f"{100 * (time_on / time_off - 1):+.1f} %" if time_off else "the same",
            ]
        )
        + " |"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = (*_RECIPES, *_FOLDERS)
    parser.add_argument("--rows", nargs="+", choices=known, default=known, help="what to measure")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds of each")
    parser.add_argument("--data-dir", type=Path, help="the folder of the data sets")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
