"""One recipe with one thing changed, seed by seed: shared by the comparisons."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protocol import describe_run, fill_block, read_results, spread, write_results
from tellapart.errors import TellapartError
from tellapart.runs.session import Session
from tellapart.runtime import choose_runtime, keep_freed_memory
from tellapart.workflow.train import train
from tutorials import conditions

DATA, RECIPE = "mnist-sample", "small-data"
KEPT = (
    *("seed", "num_epochs", "test_accuracy", "test_accuracy_interval", "test_loss"),
    "weights_sha256",
)


def measure(
    variants: Mapping[str, Sequence[str]], num_epochs: int, num_seeds: int
) -> list[dict[str, Any]]:
    """Each variant with its settings and its runs, one for each of the seeds 0, 1, ...

    On one thread, so that repeating it gives the same bits on any number of cores.
    """
    keep_freed_memory()
    rows: list[dict[str, Any]] = [
        {"variant": name, "settings": list(settings), "runs": []}
        for name, settings in variants.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(num_seeds):
            for number, row in enumerate(rows):
                result = train(
                    DATA,
                    recipe=RECIPE,
                    settings=[f"epochs={num_epochs}", *row["settings"]],
                    seed=seed,
                    out=Path(folder, f"{seed}-{number}"),
                    session=Session(threads=1),
                ).to_json()
                row["runs"].append({key: result[key] for key in KEPT})
                print(f"seed {seed}: {row['variant']}", file=sys.stderr)
    return rows


def table(results: Mapping[str, Any], subject: str) -> str:
    """The Markdown between the two marks: the table and the conditions it was measured under."""
    lines = [
        f"| {subject} | settings | test accuracy, % | test loss (cross-entropy) |",
        "|---|---|---:|---:|",
    ]
    for row in results["variants"]:
        runs = row["runs"]
        cells = (
            row["variant"],
            ", ".join(f"`{setting}`" for setting in row["settings"]) or "as in the recipe",
            spread([100 * run["test_accuracy"] for run in runs]).to_text(2),
            spread([run["test_loss"] for run in runs]).to_text(4),
        )
        lines.append(f"| {' | '.join(cells)} |")
    settings = (
        f"Recipe `{RECIPE}` on `{DATA}`, {results['epochs']} epochs, {results['seeds']} seeds."
    )
    return "\n".join([*lines, "", f"{settings} {conditions(results['environment'])}"])


def run(
    name: str, subject: str, variants: Mapping[str, Sequence[str]], documents: Sequence[Path]
) -> int:
    """The command line of a comparison: measures, stores, and rewrites the tables."""
    parser = argparse.ArgumentParser(description=f"Compare each {subject} on {DATA}.")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each; default 3")
    parser.add_argument("--epochs", type=int, default=4, help="of each run; default 4")
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    try:
        if not arguments.render_only:
            payload = {
                "data": DATA,
                "recipe": RECIPE,
                "epochs": arguments.epochs,
                "seeds": arguments.seeds,
                "variants": measure(variants, arguments.epochs, arguments.seeds),
                "environment": describe_run(choose_runtime()),
            }
            write_results(name, payload)
        block = table(read_results(name), subject)
        for document in documents:
            fill_block(document, name, block)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    print(block)
    return 0
