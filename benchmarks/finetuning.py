"""Fine-tuning against training from zero on the same pictures, and the table in the docs.

Two transfers. ``digits``: a network trained on MNIST's digits 0 to 4 learns 5 to 9 from 1, 5, 10,
50 and 500 pictures a class. ``clothes``: one trained on all of MNIST learns Fashion-MNIST from 10
and 100 a class.

Protocol: the sources are trained once, with the recipe that the package chooses for them, that of
the digits for longer and on stronger variations (``TRANSFERS``). Then, for each number of pictures
and each seed, five ways of training share one budget (the same pictures, epochs, batches and seed;
see ``tellapart finetune --compare``), with the package's own recipes. The seed draws the pictures,
the new weights and the order. Each way reads the whole test split of its classes once, after
training. Reported are the test errors' mean and sample std over the seeds, and for the
recipe's own way the ratio of its mean error to that from zero.

    python benchmarks/finetuning.py                           5 seeds; most of an hour on two cores
    python benchmarks/finetuning.py --seeds 2 --shots 1 10    a look
    python benchmarks/finetuning.py --render-only             the table from the stored results
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tellapart
from protocol import ROOT, describe_run, fill_block, read_results, spread, write_results
from tellapart.errors import TellapartError
from tellapart.runs.session import Session
from tellapart.runtime import choose_runtime, keep_freed_memory
from tellapart.workflow.finetune import compare

DOCUMENT = ROOT / "docs" / "finetuning.md"
ZERO, DEFAULT = "zero", "gradual"
WAYS = {ZERO: "from zero", "head": "head only", DEFAULT: "gradual", "all": "all", "lora": "LoRA"}


@dataclass(frozen=True)
class Transfer:
    """From one data set's classes to another's; none are all."""

    name: str
    source: str
    source_classes: str
    data: str
    classes: str
    shots: tuple[int, ...]
    source_settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{_of(self.source, self.source_classes)} to {_of(self.data, self.classes)}"


# Features that separate 0 to 4 do little for 5 to 9. Longer training with stronger augmentation
# keeps more of them, and so does no label smoothing, which makes the features of all pictures of a
# class alike (Kornblith et al. 2021).
VARIED = ("epochs=10", "label_smoothing=0", "rotation_degrees=20", "scale=0.25", "shear=0.2")
TRANSFERS = (
    Transfer(
        "digits",
        "mnist",
        "0,1,2,3,4",
        "mnist",
        "5,6,7,8,9",
        (1, 5, 10, 50, 500),
        (*VARIED, "elastic_pixels=0.7"),
    ),
    Transfer("clothes", "mnist", "", "fashion-mnist", "", (10, 100)),
)


def measure(
    num_seeds: int, only_shots: Sequence[int], source_epochs: int | None, data_dir: Path | None
) -> dict[str, Any]:
    """Every transfer, number of pictures and seed; the runs themselves are thrown away."""
    keep_freed_memory()
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for transfer in TRANSFERS:
            epochs = [] if source_epochs is None else [f"epochs={source_epochs}"]
            source = tellapart.train(
                transfer.source,
                settings=[*_classes(transfer.source_classes), *transfer.source_settings, *epochs],
                out=Path(folder, transfer.name),
                session=Session(data_dir=data_dir),
            )
            shots = [count for count in transfer.shots if not only_shots or count in only_shots]
            measured[transfer.name] = {
                "source": _stripped(source.to_json()),
                "shots": {
                    str(count): _measure_shots(transfer, source.run, count, num_seeds, data_dir)
                    for count in shots
                },
            }
    return measured


def _measure_shots(
    transfer: Transfer, source: Path, shots: int, num_seeds: int, data_dir: Path | None
) -> dict[str, list[dict[str, Any]]]:
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for seed in range(num_seeds):
        with tempfile.TemporaryDirectory() as out:
            ways = compare(
                source,
                transfer.data,
                settings=_classes(transfer.classes),
                shots=shots,
                seed=seed,
                out=out,
                session=Session(data_dir=data_dir),
            )
            for way in ways:
                runs[way.name].append(_stripped(way.to_json()))
        errors = "  ".join(f"{way} {_errors(runs[way])[-1]:.2f}" for way in WAYS)
        print(f"{transfer}, {shots} a class, seed {seed}: {errors} %", file=sys.stderr)
    return runs


def results_block(results: dict[str, Any]) -> str:
    """The Markdown between the two marks: the table and the conditions it was measured under."""
    lines = [
        f"| transfer | pictures a class | {' | '.join(WAYS.values())} | gradual ÷ from zero |",
        f"|---|---:|{'---:|' * len(WAYS)}---:|",
    ]
    for transfer in TRANSFERS:
        for shots, runs in results["transfers"][transfer.name]["shots"].items():
            errors = {way: spread(_errors(runs[way])) for way in WAYS}
            part = errors[DEFAULT].mean / max(errors[ZERO].mean, 1e-9)
            cells = [errors[way].to_text(2) for way in WAYS]
            lines.append(f"| {transfer} | {shots} | {' | '.join(cells)} | {part:.2f} |")
    machine = results["environment"]
    hardware = machine.get("gpu", machine["processor"])
    conditions = (
        f"Test error in %, mean ± sample std over {results['num_seeds']} seeds; the whole "
        f"test split of the classes. {hardware}, torch on {machine['threads']} threads, "
        f"{machine['precision']}; Python {machine['python']}, torch {machine['torch']}, tellapart "
        f"{machine['tellapart']}, commit {machine['commit']}; `{machine['command']}`."
    )
    return "\n".join([*lines, "", conditions])


def _errors(runs: Sequence[dict[str, Any]]) -> list[float]:
    return [100 * (1 - run["test_accuracy"]) for run in runs]


def _classes(names: str) -> list[str]:
    return [f"data.classes={names}"] if names else []


def _of(data: str, classes: str) -> str:
    return f"{data} {classes[0]}-{classes[-1]}" if classes else data


def _stripped(content: dict[str, Any]) -> dict[str, Any]:
    # The runs are deleted, so their paths are of no use.
    return {key: value for key, value in content.items() if key not in ("run", "source")}


def main() -> int:
    arguments = parse_arguments()
    try:
        if not arguments.render_only:
            transfers = measure(
                arguments.seeds, arguments.shots, arguments.source_epochs, arguments.data_dir
            )
            write_results(
                "finetuning",
                {
                    "num_seeds": arguments.seeds,
                    "transfers": transfers,
                    "environment": describe_run(choose_runtime()),
                },
            )
        block = results_block(read_results("finetuning"))
        fill_block(DOCUMENT, "finetuning", block)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    print(block)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fine-tuning beside training from zero.")
    parser.add_argument("--seeds", type=int, default=5, help="runs per way; default 5")
    parser.add_argument("--shots", type=int, nargs="*", default=[], help="only these; default all")
    parser.add_argument("--source-epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--data-dir", type=Path, help="holds mnist/, fashion-mnist/")
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
