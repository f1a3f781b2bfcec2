"""What the seven tutorial networks reach, and the table of it in ``docs/tutorials.md``.

Protocol: each recipe trains on all 60,000 MNIST training pictures with the article's own optimizer,
batch size, number of epochs and normalisation, once per seed; the test set is read once, after the
last epoch. Seconds are the training loop alone, the device's work finished. Every run goes into
``benchmarks/results/tutorials.json``; the table is written from that file and from nothing else.

    python benchmarks/tutorials.py                  7 recipes, 3 seeds: measures, rewrites the table
    python benchmarks/tutorials.py --render-only    rewrites the table from the stored results
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from protocol import ROOT, describe_run, fill_block, read_results, spread, write_results
from tellapart.errors import TellapartError
from tellapart.runs.session import Session
from tellapart.runtime import choose_runtime
from tellapart.workflow.reproduce import CLAIMS, reproduce

DOCUMENT = ROOT / "docs" / "tutorials.md"


def measure(num_seeds: int, data_dir: Path | None) -> dict[str, list[dict[str, Any]]]:
    """Every recipe with seeds 0, 1, ...; seed by seed, so that drift touches all recipes alike."""
    runs: dict[str, list[dict[str, Any]]] = {claim.recipe: [] for claim in CLAIMS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(num_seeds):
            out = Path(folder, f"seed-{seed}")
            for claim, result in reproduce(seed=seed, out=out, session=Session(data_dir=data_dir)):
                # The run is deleted, so its path is of no use.
                measured = {key: value for key, value in result.to_json().items() if key != "run"}
                runs[claim.recipe].append(measured)
            print(f"seed {seed} done", file=sys.stderr)
    return runs


def results_block(results: dict[str, Any]) -> str:
    """The Markdown between the two marks: the table and the conditions it was measured under."""
    lines = [
        "| recipe | the article claims | its own loop, one run | test accuracy, % | test loss "
        "| training, s |",
        "|---|---|---|---|---|---|",
    ]
    for claim in CLAIMS:
        runs = results["recipes"][claim.recipe]
        reference = claim.reference_accuracy
        accuracy = spread([100 * run["test_accuracy"] for run in runs])
        loss = spread([run["test_loss"] for run in runs])
        seconds = spread([run["train_seconds"] for run in runs])
        cells = (
            *(
                f"`{claim.recipe}`",
                claim.claim,
                f"{100 * reference:.2f}" if reference else "not run",
            ),
            *(f"{accuracy.to_text(2)} (n = {accuracy.n})", loss.to_text(4), seconds.to_text(1)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", conditions(results["environment"])])


def conditions(environment: dict[str, Any]) -> str:
    """One sentence with the hardware, the versions, the commit and the command."""
    hardware = environment.get("gpu", environment["processor"])
    return (
        f"Mean ± sample std over the seeds. {hardware}, {environment['cores']} cores, "
        f"torch on {environment['threads']} of them, {environment['precision']}; "
        f"Python {environment['python']}, torch {environment['torch']}, "
        f"tellapart {environment['tellapart']}, commit {environment['commit']}; "
        f"`{environment['command']}`."
    )


def main() -> int:
    arguments = parse_arguments()
    try:
        if not arguments.render_only:
            runs = measure(arguments.seeds, arguments.data_dir)
            conditions_now = describe_run(choose_runtime())
            write_results("tutorials", {"recipes": runs, "environment": conditions_now})
        block = results_block(read_results("tutorials"))
        fill_block(DOCUMENT, "results", block)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    print(block)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the seven tutorial networks.")
    parser.add_argument("--seeds", type=int, default=3, help="runs per recipe; default 3")
    parser.add_argument("--data-dir", type=Path, help="holds mnist/; default $TELLAPART_DATA")
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
