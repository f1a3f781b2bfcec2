"""Which heat maps follow the network: ``tellapart explain --check`` on trained networks.

    python benchmarks/heat_maps.py                      all; minutes for each row
    python benchmarks/heat_maps.py --rows small-data
    python benchmarks/heat_maps.py --render-only        fills docs/explaining.md from the results

Protocol. Each row is one network, trained by ``tellapart train`` with everything left at its
default and seed 0, and one check, in a process of their own on one thread: the methods that
``explain`` uses by default on 200 test images, or all where there are fewer. The classes explained
are those that the network answers. ``small-data`` is trained on mnist-sample, ``fast`` on
Fashion-MNIST, ``ants-bees`` by ``--preset quick``, on photographs of 224x224 pixels from a network
that was trained on ImageNet. The time is that of the check alone, in processor seconds, which
other programs on the machine change less than the clock.

The result goes to ``benchmarks/results/heat_maps.json``, a row at a time, and is added to what is
there already; a table of it to docs/explaining.md.
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
    write_results,
)
from tellapart.runtime import choose_runtime

_RECIPES = {"small-data": "mnist-sample", "fast": "fashion-mnist"}
_ROWS = (*_RECIPES, "ants-bees")
_PAGE = "docs/explaining.md"


def main() -> int:
    """Measure what is asked for, store each row, and fill the table."""
    options = _parser().parse_args()
    results = results_so_far("heat_maps", "rows")
    if not options.render_only:
        for row in options.rows:
            found = run_fresh(_measure, row, options.data_dir)
            results["environment"] = describe_run(choose_runtime("cpu", "fp32"))
            results["rows"][row] = {**found, "commit": results["environment"]["commit"]}
            write_results("heat_maps", results)
    table = _table(results)
    print(table)
    fill_block(ROOT / _PAGE, "heat-maps", table)
    return 0


def _measure(row: str, data_dir: Path | None) -> dict[str, Any]:
    """Train one network and check its maps."""
    import tellapart
    from tellapart.explanation.check import check_methods
    from tellapart.explanation.methods import choose_methods

    with tempfile.TemporaryDirectory(prefix="tellapart-") as place:
        session = tellapart.Session(data_dir=data_dir, threads=1)
        result = tellapart.train(
            _RECIPES[row] if row in _RECIPES else _photographs(row, data_dir, Path(place)),
            recipe=row if row in _RECIPES else None,
            preset=None if row in _RECIPES else "quick",
            out=f"{place}/run",
            session=session,
        )
        run = tellapart.open_run(result.run, session=session)
        classifier = run.classifier.eval()
        methods = choose_methods(None, classifier).methods
        used = time.process_time()
        with session.limited_threads():
            check = check_methods(classifier, run.splits["test"].images, methods)
        seconds = time.process_time() - used
    assert result.test is not None
    return {
        "network": classifier.spec.network,
        "accuracy": result.test.accuracy,
        "check_cpu_seconds": round(seconds, 1),
        **check.to_json(),
    }


def _photographs(folder: str, data_dir: Path | None, place: Path) -> Path:
    """A folder with a train and a test split."""
    for given, name in (("train", "train"), ("val", "test")):
        shutil.copytree(data_folder(data_dir, folder) / given, place / folder / name)
    return place / folder


def _table(results: dict[str, Any]) -> str:
    lines = [
        "| trained by | images | map | insertion | deletion | score minus random maps | minus "
        "random weights | minus edges | complexity rise | rank correlation | verdict |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in _ROWS:
        if row in results["rows"]:
            lines += _lines(row, results["rows"][row])
    return "\n".join([*lines, "", measured_on(results["environment"])])


def _lines(row: str, found: dict[str, Any]) -> list[str]:
    name = f"`{row}`, {_RECIPES[row]}" if row in _RECIPES else f"{row}, `--preset quick`"
    lines = []
    for method in found["methods"]:
        rise, left = method["complexity_rise"], method["randomized"][-1]["similarity"]
        lines.append(
            [
                name,
                str(found["num_images"]),
                method["method"],
                f"{method['insertion']['mean']:.3f}",
                f"{method['deletion']['mean']:.3f}",
                *(_interval(other["score"]) for other in method["against"].values()),
                f"{100 * rise['mean']:+.0f} %",
                f"{left['mean']:.2f}",
                method["verdict"],
            ]
        )
    for other, curves in found["others"].items():
        areas = [f"{curves[which]['mean']:.3f}" for which in ("insertion", "deletion")]
        lines.append([name, str(found["num_images"]), other.replace("_", " "), *areas, *[""] * 6])
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _interval(difference: dict[str, float]) -> str:
    return f"{difference['mean']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=_ROWS, default=_ROWS, help="what to measure")
    parser.add_argument("--data-dir", type=Path, help="the folder of the data sets")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
