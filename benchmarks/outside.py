"""Images of another kind: how well each score tells them from a classifier's own.

    python benchmarks/outside.py                           all; ``accurate`` takes minutes a seed
    python benchmarks/outside.py --rows mnist-fast
    python benchmarks/outside.py --runs DIR                uses runs DIR/ROW-SEED that are there
    python benchmarks/outside.py --render-only             fills docs/trust.md from the results

Protocol. A row is a classifier, trained by ``tellapart train`` with everything at its default but
recipe or preset, ``--seed`` and, for folders, ``data.split_seed``, the same number. Its test split
is compared with each kind of outside images by ``tellapart evaluate --outside``, which gives AUROC
and the false positive rate at 95 % recall of every score. Outside images are the test split of a
data set (all of a folder), read as ``predict`` reads them, and 1,000 images of noise: ``uniform``
has every pixel drawn from 0..255, ``gaussian`` from a normal distribution with mean 128 and std 64,
cut at both ends.

What was chosen was chosen on the rows in ``CHOSEN_ON`` alone: which score is the default, that it
counts lengths, the third neighbour and 1,000 references (`docs/decisions/outside-score.md`). The
other rows were measured afterwards; an early version without the contrasts had failed on noise for
``mnist-fast``, which is why they are there.

The result goes to ``benchmarks/results/outside.json``, a run at a time, and is added to what is
there already; a table of it to docs/trust.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from protocol import (
    ROOT,
    describe_run,
    fill_block,
    measured_on,
    results_so_far,
    run_fresh,
    spread,
    write_results,
)
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.runtime import choose_runtime

_NUM_NOISE = 1000
_NOISE = ("uniform", "gaussian")
_DEFAULT, _BASELINE = "nearest-neighbour", "max-softmax"
_PAGE = "docs/trust.md"


@dataclass(frozen=True)
class Row:
    """A classifier and what it is compared with; data sets are names in the data folder."""

    data: str
    settings: Mapping[str, Any]
    outside: tuple[str, ...]


def _fast(data: str, *outside: str) -> Row:
    return Row(data, {"recipe": "fast"}, (*outside, *_NOISE))


ROWS = {
    "fashion-fast": _fast("fashion-mnist", "mnist", "sign-digits"),
    "solar-zero": Row(
        "solar-cells/cells.csv",
        {"preset": "quick", "from_zero": True},
        ("sign-digits", "ants-bees", *_NOISE),
    ),
    "mnist-fast": _fast("mnist", "fashion-mnist", "sign-digits"),
    "mnist-accurate": Row(
        "mnist", {"recipe": "accurate"}, ("fashion-mnist", "sign-digits", *_NOISE)
    ),
    "sign-digits-quick": Row(
        "sign-digits", {"preset": "quick"}, ("ants-bees", "solar-cells", *_NOISE)
    ),
    "ants-bees-quick": Row(
        "ants-bees", {"preset": "quick"}, ("sign-digits", "solar-cells", *_NOISE)
    ),
}
CHOSEN_ON = ("fashion-fast", "solar-zero")
_DESCRIBED = {
    "fashion-fast": "fashion-mnist, `fast`",
    "solar-zero": "solar cells, `--preset quick --from-zero`",
    "mnist-fast": "mnist, `fast`",
    "mnist-accurate": "mnist, `accurate`",
    "sign-digits-quick": "sign digits, `--preset quick`",
    "ants-bees-quick": "ants and bees, `--preset quick`",
}


def main() -> int:
    """Measure what is asked for, store each run, and fill the table."""
    options = _parser().parse_args()
    results = results_so_far("outside", "runs")
    if not options.render_only:
        for row in options.rows:
            for seed in range(options.seeds):
                key = f"{row} {seed}"
                if key in results["runs"]:
                    continue
                measured = run_fresh(_measure, row, seed, options.data_dir, options.runs)
                print(key, file=sys.stderr, flush=True)
                results["environment"] = describe_run(choose_runtime("cpu", "auto"))
                commit = results["environment"]["commit"]
                results["runs"][key] = {**measured, "commit": commit}
                write_results("outside", results)
    table = _table(results)
    print(table)
    fill_block(ROOT / _PAGE, "outside", table)
    return 0


def _measure(row: str, seed: int, data_dir: Path | None, runs: Path | None) -> dict[str, Any]:
    """Trains the classifier, unless it is there, and compares; in a process of its own."""
    import tellapart

    asked = ROWS[row]
    root = data_dir or Path(os.environ["TELLAPART_DATA"])
    session = tellapart.Session(threads=1, data_dir=root)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (runs or Path(scratch)) / f"{row}-{seed}"
        if not (folder / "evaluation.json").exists():
            is_named = asked.data in CATALOGUE
            tellapart.train(
                asked.data if is_named else root / asked.data,
                **asked.settings,
                settings={} if is_named else {"data.split_seed": seed},
                seed=seed,
                out=folder,
                session=session,
            )
        shape = tellapart.open_run(folder, session=session).classifier.image_shape
        sources = [
            _noise(Path(scratch), name, shape)
            if name in _NOISE
            else (name if name in CATALOGUE else root / name)
            for name in asked.outside
        ]
        found = tellapart.evaluate(
            folder, outside=sources, out=Path(scratch) / "evaluation", session=session
        ).to_json()["outside"]
    return _kept(asked.outside, found)


def _noise(folder: Path, name: str, shape: Sequence[int]) -> Path:
    """Writes an archive of noise in the form that the classifier takes."""
    drawn = np.random.default_rng(0)
    channels, height, width = shape
    size = (_NUM_NOISE, height, width, channels)
    if name == "uniform":
        images = drawn.integers(0, 256, size, np.uint8)
    else:
        images = (128 + 64 * drawn.standard_normal(size)).clip(0, 255).astype(np.uint8)
    path = folder / f"{name}.npz"
    np.savez(path, x_train=images, y_train=np.arange(_NUM_NOISE) % 2)
    return path


def _kept(names: Sequence[str], found: Mapping[str, Any]) -> dict[str, Any]:
    """What of an examination is stored: the figures, and not the images."""
    inside = found["inside"]
    return {
        "num_inside": inside["num_images"],
        "inside_flagged": inside.get("flagged"),
        "outside": {
            name: {
                "num_images": source["num_images"],
                "flagged": source.get("flagged"),
                "scores": {
                    entry["score"]: {
                        key: entry[key] for key in ("auroc", "auroc_interval", "fpr_at_95_recall")
                    }
                    for entry in source["scores"]
                },
            }
            for name, source in zip(names, found["sources"], strict=True)
        },
    }


def _table(results: Mapping[str, Any]) -> str:
    """AUROC by classifier, outside images and score, then what the default's threshold does."""
    names = _scores_of(results)
    heads = ["classifier", "outside", *names, "flagged"]
    lines = [f"| {' | '.join(heads)} |", f"|---|---|{'---:|' * (len(names) + 1)}"]
    for row in ROWS:
        runs = [run for key, run in results["runs"].items() if key.rpartition(" ")[0] == row]
        lines += _lines(row, runs, names) if runs else []
    caption = (
        "AUROC in %, mean ± sample std over seeds; the best of each row in bold. *Flagged*: the "
        "percentage of the outside images that `predict` flags; of the test split, *itself*. Rows "
        "with an asterisk are those on which the default was chosen; the others were measured "
        "afterwards, but noise on digits had shown before that features alone do not suffice."
    )
    measured = measured_on(results["environment"]) if "environment" in results else ""
    return "\n".join([*lines, "", caption, "", measured])


def _scores_of(results: Mapping[str, Any]) -> list[str]:
    """The names of all scores, the default first and the baseline last."""
    names = {
        name: None
        for run in results["runs"].values()
        for source in run["outside"].values()
        for name in source["scores"]
    }
    others = [name for name in names if name not in (_DEFAULT, _BASELINE)]
    return [_DEFAULT, *others, _BASELINE]


def _lines(row: str, runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    described = f"{_DESCRIBED[row]} (n = {len(runs)}){' *' if row in CHOSEN_ON else ''}"
    lines = []
    for outside in ROWS[row].outside:
        found = [run["outside"][outside] for run in runs]
        areas = {
            name: spread([100 * entry["scores"][name]["auroc"] for entry in found])
            for name in names
            if all(name in entry["scores"] for entry in found)
        }
        best = max(area.mean for area in areas.values())
        cells = [_cell(areas.get(name), best) for name in names]
        lines.append(f"| {described} | {outside} | {' | '.join(cells)} | {_flagged(found)} |")
        described = ""
    own = [{"flagged": run["inside_flagged"]} for run in runs]
    return [*lines, f"| | *itself* |{' |' * len(names)} {_flagged(own)} |"]


def _cell(area: Any, best: float) -> str:
    if area is None:
        return "–"
    text: str = area.to_text(2)
    return f"**{text}**" if area.mean == best else text


def _flagged(found: Sequence[Mapping[str, Any]]) -> str:
    known = [100 * entry["flagged"] for entry in found if entry["flagged"] is not None]
    return spread(known).to_text(1) if known else "–"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how outside images are told apart.")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, help="holds the data sets by name")
    parser.add_argument("--runs", type=Path, help="keeps the runs here, and uses those there")
    parser.add_argument("--render-only", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
