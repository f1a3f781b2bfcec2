"""One recipe with one thing changed, seed by seed: shared by the comparisons."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocol import describe_run, fill_block, read_results, spread, write_results
from tellapart.errors import TellapartError
from tellapart.runs.session import Session
from tellapart.runtime import choose_runtime, keep_freed_memory
from tellapart.workflow.train import train

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


@dataclass(frozen=True)
class Wording:
    """The texts of a table in one language.

    Args:
        heads: of the four columns.
        unchanged: the settings of the recipe as it is.
        conditions: what was trained, and where; filled from the results and their environment.
        names: of the variants, where they are called otherwise than in the results.
    """

    heads: tuple[str, str, str, str]
    unchanged: str
    conditions: str
    names: Mapping[str, str] = field(default_factory=dict)


def english(subject: str) -> Wording:
    """The English texts of a comparison of ``subject``."""
    return Wording(
        heads=(subject, "settings", "test accuracy, %", "test loss (cross-entropy)"),
        unchanged="as in the recipe",
        conditions="Recipe `{recipe}` on `{data}`, {epochs} epochs, {seeds} seeds. Mean ± sample "
        "std over the seeds. {hardware}, {cores} cores, torch on {threads} of them, {precision}; "
        "Python {python}, torch {torch}, tellapart {tellapart}, commit {commit}; `{command}`.",
    )


def chinese(subject: str, names: Mapping[str, str]) -> Wording:
    """The Chinese texts of a comparison of ``subject``."""
    return Wording(
        heads=(subject, "设置", "测试准确率，%", "测试损失（交叉熵）"),
        unchanged="与配方相同",
        conditions="配方 `{recipe}`，数据 `{data}`，{epochs} 轮，{seeds} 个随机种子；"
        "均值 ± 样本标准差。{hardware}，{cores} 核，torch 用其中 {threads} 个，{precision}；"
        "Python {python}，torch {torch}，tellapart {tellapart}，提交 {commit}；`{command}`。",
        names=names,
    )


def table(results: Mapping[str, Any], wording: Wording) -> str:
    """The Markdown between the two marks: the table and the conditions it was measured under."""
    lines = [f"| {' | '.join(wording.heads)} |", "|---|---|---:|---:|"]
    for row in results["variants"]:
        runs = row["runs"]
        cells = (
            wording.names.get(row["variant"], row["variant"]),
            ", ".join(f"`{setting}`" for setting in row["settings"]) or wording.unchanged,
            spread([100 * run["test_accuracy"] for run in runs]).to_text(2),
            spread([run["test_loss"] for run in runs]).to_text(4),
        )
        lines.append(f"| {' | '.join(cells)} |")
    environment = results["environment"]
    hardware = environment.get("gpu", environment["processor"])
    measured = {key: results[key] for key in ("recipe", "data", "epochs", "seeds")}
    conditions = wording.conditions.format(hardware=hardware, **measured, **environment)
    return "\n".join([*lines, "", conditions])


def run(name: str, variants: Mapping[str, Sequence[str]], documents: Mapping[Path, Wording]) -> int:
    """The command line of a comparison: measures, stores, and rewrites the tables."""
    parser = argparse.ArgumentParser(description=f"Compare {', '.join(variants)} on {DATA}.")
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
        for document, wording in documents.items():
            block = table(read_results(name), wording)
            fill_block(document, name, block)
            print(block)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
