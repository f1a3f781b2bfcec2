"""What the blocks are worth: accuracy beside cost on MNIST, and the table in ``docs/blocks.md``.

Protocol: one architecture, that of ``small-residual``, with a different block in it. First each
network has the width at which it costs as much as ``small-residual``; then the cheaper ones have
the width of ``small-residual``, beside a plain network that is as cheap as the cheapest of them.
Recipe ``standard`` for three epochs on all 60,000 training pictures, once per seed; the test set is
used once, after the last epoch, and nothing was chosen by it. Seed by seed, so that drift of the
machine affects all networks alike; seconds are the training loop alone. Multiply-adds are counted,
not timed: those of convolutions and linear layers, for one picture. Every run goes into
``benchmarks/results/blocks.json``; the table is written from that file and from nothing else.

    python benchmarks/blocks.py                  8 networks, 3 seeds: measures, rewrites the table
    python benchmarks/blocks.py --render-only    rewrites the table from the stored results
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protocol import ROOT, describe_run, fill_block, read_results, spread, write_results
from tellapart.errors import TellapartError
from tellapart.models.cost import count_multiply_adds
from tellapart.models.registry import build_network
from tellapart.runs.session import Session
from tellapart.runtime import choose_runtime, keep_freed_memory
from tellapart.workflow.train import train
from tutorials import conditions

DOCUMENT = ROOT / "docs" / "blocks.md"


@dataclass(frozen=True)
class Contender:
    """A network of the registry at one width."""

    network: str
    width: int
    group: str


SAME_COST, SAME_WIDTH = "the cost of `small-residual`", "its width, or the cost of the cheapest"
CONTENDERS = (
    Contender("small-residual", 32, SAME_COST),
    Contender("squeeze-excite", 32, SAME_COST),
    Contender("dynamic", 32, SAME_COST),
    Contender("ghost", 45, SAME_COST),
    Contender("separable", 92, SAME_COST),
    Contender("ghost", 32, SAME_WIDTH),
    Contender("separable", 32, SAME_WIDTH),
    Contender("small-residual", 12, SAME_WIDTH),
)


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Every contender with its costs and its runs, one for each of the seeds 0, 1, ..."""
    rows: list[dict[str, Any]] = [
        {**asdict(contender), **cost(contender), "runs": []} for contender in CONTENDERS
    ]
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            for number, (contender, row) in enumerate(zip(CONTENDERS, rows, strict=True)):
                out = Path(folder, f"{seed}-{number}")
                row["runs"].append(train_once(contender, seed, out, arguments))
                print(f"seed {seed}: {contender.network} {contender.width}", file=sys.stderr)
    return rows


def train_once(
    contender: Contender, seed: int, out: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    """What ``train --json`` would print, less the path of a run that is thrown away."""
    result = train(
        arguments.data,
        recipe="standard",
        settings=(
            f"model.network={contender.network}",
            f"model.arguments.width={contender.width}",
            f"training.epochs={arguments.epochs}",
        ),
        seed=seed,
        out=out,
        session=Session(data_dir=arguments.data_dir),
    )
    return {key: value for key, value in result.to_json().items() if key != "run"}


def cost(contender: Contender) -> dict[str, int]:
    """Parameters, and multiply-adds for one picture of MNIST."""
    network = build_network(contender.network, (1, 28, 28), 10, {"width": contender.width})
    return {
        "num_parameters": sum(weight.numel() for weight in network.parameters()),
        "multiply_adds": sum(count_multiply_adds(network, (1, 28, 28)).values()),
    }


def table(results: dict[str, Any]) -> str:
    """The Markdown between the two marks: the table and the conditions it was measured under."""
    lines = [
        "| network | width | parameters | multiply-adds, million "
        "| test accuracy, % | training, s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    group = ""
    for row in results["networks"]:
        if row["group"] != group:
            group = row["group"]
            lines.append(f"| *{group}* | | | | | |")
        accuracy = spread([100 * run["test_accuracy"] for run in row["runs"]])
        seconds = spread([run["train_seconds"] for run in row["runs"]])
        cells = (
            *(f"`{row['network']}`", str(row["width"]), f"{row['num_parameters']:,}"),
            *(f"{row['multiply_adds'] / 1e6:.1f}", accuracy.to_text(2), seconds.to_text(1)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    settings = (
        f"Recipe `standard` on {results['data']}, {_epochs(results['epochs'])}, "
        f"{results['seeds']} seeds."
    )
    return "\n".join([*lines, "", f"{settings} {conditions(results['environment'])}"])


def _epochs(count: int) -> str:
    return "one epoch" if count == 1 else f"{count} epochs"


def main() -> int:
    arguments = parse_arguments()
    try:
        if not arguments.render_only:
            payload = {
                "data": arguments.data,
                "epochs": arguments.epochs,
                "seeds": arguments.seeds,
                "networks": measure(arguments),
                "environment": describe_run(choose_runtime()),
            }
            write_results("blocks", payload)
        block = table(read_results("blocks"))
        fill_block(DOCUMENT, "blocks", block)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    print(block)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a network of each block.")
    parser.add_argument("--seeds", type=int, default=3, help="runs per network; default 3")
    parser.add_argument("--epochs", type=int, default=3, help="per run; default 3")
    parser.add_argument("--data", default="mnist", help="28x28 pictures; default mnist")
    parser.add_argument("--data-dir", type=Path, help="holds mnist/; default $TELLAPART_DATA")
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
