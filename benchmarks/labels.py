"""Wrong labels: how many of those that were flipped are found, and what correcting them is worth.

Protocol: in MNIST and Fashion-MNIST 1 % and 5 % of the labels of train and of test are replaced by
another class, drawn at random by the seed. `tellapart.check(labels=True)` looks for wrong labels;
precision and recall are counted against what was flipped, with Wilson's 95 % interval over all
seeds of a case. Labels that were wrong before count as mistakes of the check. Then `fast`
is trained on the flipped labels, on the labels with every suggestion accepted, unseen, and on the
original ones, with the same seed; all three are measured on the original test split. Times are of
the check alone, the data read. Every case goes into ``benchmarks/results/labels.json``, the tables
of ``docs/labels.md`` are written from that file alone; the label check of MNIST as it is goes there
too.

    python benchmarks/labels.py [--seeds 3] [--data-dir DIR]    measures, rewrites the tables
    python benchmarks/labels.py --render-only                   rewrites them from stored results
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tellapart
from protocol import (
    ROOT,
    data_folder,
    describe_run,
    fill_block,
    measured_on,
    read_results,
    spread,
    write_results,
)
from tellapart.evaluation.metrics import wilson_interval
from tellapart.runtime import choose_runtime, generator
from tellapart.wording import percent

DOCUMENT = ROOT / "docs" / "labels.md"
DATA = ("mnist", "fashion-mnist")
RATES = (0.01, 0.05)
NUM_NAMED = 24


def main() -> int:
    """Measures what is asked for and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=DATA, choices=DATA)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--render-only", action="store_true")
    asked = parser.parse_args()
    if not asked.render_only:
        session = tellapart.Session(data_dir=asked.data_dir)
        cases = []
        for name in asked.data:
            data_folder(asked.data_dir, name)
            for rate in RATES:
                cases += [measure(name, rate, seed, session) for seed in range(asked.seeds)]
        environment = describe_run(choose_runtime("cpu", "auto"))
        as_they_are = [unchanged(name, session) for name in asked.data]
        write_results(
            "labels", {"environment": environment, "cases": cases, "as_they_are": as_they_are}
        )
    render(read_results("labels"))
    return 0


def measure(name: str, rate: float, seed: int, session: tellapart.Session) -> dict[str, Any]:
    """One case: the counts of the check, and the three accuracies."""
    original = tellapart.load_data_set(name, data_dir=session.data_dir)
    flipped, wrong = flip(original, rate, seed)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "flipped.npz"
        save(data, original, flipped)
        started = time.perf_counter()
        result = tellapart.check(data, labels=True, out=Path(folder) / "out", session=session)
        seconds = time.perf_counter() - started
        assert result.labels is not None
        found = {split: set[int]() for split in wrong}
        num_suggested_right = 0
        for label in result.labels.suspicious:
            found[label.split].add(label.index)
            true = original.split(label.split).labels[label.index]
            is_right = label.suggested == result.data_set.class_names[int(true)]
            num_suggested_right += label.index in wrong[label.split] and is_right
        clean = {split: part.labels for split, part in original.splits.items()}
        accuracies = {
            "flipped": accuracy(data, flipped, clean, None, seed, session),
            "corrected": accuracy(data, flipped, clean, result.corrections, seed, session),
            "original": accuracy(data, clean, clean, None, seed, session),
        }
    case = {
        "data": name,
        "rate": rate,
        "seed": seed,
        "seconds": seconds,
        "num_suggested_right": num_suggested_right,
        "accuracies": accuracies,
        "splits": {
            split: {
                "num_flipped": len(wrong[split]),
                "num_found": len(found[split]),
                "num_right": len(found[split] & wrong[split]),
            }
            for split in wrong
        },
    }
    print(case, file=sys.stderr, flush=True)
    return case


def flip(
    data_set: tellapart.DataSet, rate: float, seed: int
) -> tuple[dict[str, torch.Tensor], dict[str, set[int]]]:
    """The labels by split with a fraction replaced by another class, and which were."""
    labels, wrong = {}, {}
    for split, part in data_set.splits.items():
        drawn = generator(seed, "flipped labels", len(part))
        chosen = torch.randperm(len(part), generator=drawn)[: round(rate * len(part))]
        shift = torch.randint(1, part.num_classes, (len(chosen),), generator=drawn)
        labels[split] = part.labels.clone()
        labels[split][chosen] = (part.labels[chosen] + shift) % part.num_classes
        wrong[split] = set(chosen.tolist())
    return labels, wrong


def save(path: Path, data_set: tellapart.DataSet, labels: Mapping[str, torch.Tensor]) -> None:
    """Writes the images with other labels as an archive of arrays."""
    arrays: dict[str, Any] = {"class_names": np.array(data_set.class_names)}
    for split, part in data_set.splits.items():
        arrays[f"x_{split}"] = part.images[:, 0].numpy()
        arrays[f"y_{split}"] = labels[split].numpy()
    np.savez(path, **arrays)


def accuracy(
    data: Path,
    labels: Mapping[str, torch.Tensor],
    clean: Mapping[str, torch.Tensor],
    corrections: Path | None,
    seed: int,
    session: tellapart.Session,
) -> float:
    """The accuracy on the original test split of `fast`, trained on these labels."""
    original = np.load(data)
    arrays = {name: original[name] for name in original.files if name.startswith(("x_", "class"))}
    place = data.parent / f"{len(list(data.parent.iterdir()))}.npz"
    np.savez(place, **arrays, y_train=labels["train"].numpy(), y_test=labels["test"].numpy())
    run = tellapart.train(
        place,
        recipe="fast",
        corrections=corrections,
        seed=seed,
        out=place.with_suffix(""),
        session=session,
    )
    test = tellapart.open_run(run.run, session=session).splits["test"]
    classifier = tellapart.load_classifier(run.run / "model.safetensors").eval()
    with torch.inference_mode():
        answers = torch.cat([classifier(part).argmax(1) for part in torch.split(test.images, 500)])
    return float((answers == clean["test"]).float().mean())


def unchanged(name: str, session: tellapart.Session) -> dict[str, Any]:
    """What is suspicious in the data set as it is, the first few by name."""
    with tempfile.TemporaryDirectory() as folder:
        result = tellapart.check(name, labels=True, out=Path(folder) / "out", session=session)
        assert result.labels is not None
    found = result.labels.suspicious
    return {
        "data": name,
        "num_suspicious": {
            split: sum(label.split == split for label in found) for split in result.data_set.splits
        },
        "first_of_test": [label.to_json() for label in found if label.split == "test"][:NUM_NAMED],
    }


def render(results: Mapping[str, Any]) -> None:
    """Writes the tables of the document."""
    fill_block(DOCUMENT, "found", "\n".join(_found(results)))
    fill_block(DOCUMENT, "worth", "\n".join(_worth(results)))
    fill_block(DOCUMENT, "as-they-are", "\n".join(_as_they_are(results)))


def _groups(results: Mapping[str, Any]) -> Iterator[tuple[str, float, list[Mapping[str, Any]]]]:
    names = dict.fromkeys((case["data"], case["rate"]) for case in results["cases"])
    for name, rate in names:
        yield name, rate, [c for c in results["cases"] if (c["data"], c["rate"]) == (name, rate)]


def _found(results: Mapping[str, Any]) -> Iterator[str]:
    yield "| data | flipped | split | precision | recall | seconds |"
    yield "|---|---|---|---|---|---|"
    for name, rate, cases in _groups(results):
        for split in ("train", "test"):
            counts = [case["splits"][split] for case in cases]
            right, found, flipped = (
                sum(count[key] for count in counts)
                for key in ("num_right", "num_found", "num_flipped")
            )
            seconds = spread([case["seconds"] for case in cases]).to_text(0)
            yield (
                f"| {name} | {rate:.0%} | {split} | {_fraction(right, found)} | "
                f"{_fraction(right, flipped)} | {seconds if split == 'train' else ''} |"
            )
    yield ""
    yield f"n = {_num_seeds(results)} seeds each. {measured_on(results['environment'])}"


def _fraction(part: int, whole: int) -> str:
    if not whole:
        return "none found"
    low, high = wilson_interval(part, whole)
    return f"{percent(part / whole, 1)} ({percent(low, 1)} to {percent(high, 1)})"


def _worth(results: Mapping[str, Any]) -> Iterator[str]:
    yield "| data | flipped | trained on flipped labels | every suggestion accepted | original |"
    yield "|---|---|---|---|---|"
    for name, rate, cases in _groups(results):
        cells = (
            spread([100 * case["accuracies"][key] for case in cases]).to_text(2)
            for key in ("flipped", "corrected", "original")
        )
        yield f"| {name} | {rate:.0%} | {' | '.join(cells)} |"


def _num_seeds(results: Mapping[str, Any]) -> int:
    return len({case["seed"] for case in results["cases"]})


def _as_they_are(results: Mapping[str, Any]) -> Iterator[str]:
    for entry in results["as_they_are"]:
        counts = ", ".join(f"{split} {n:,}" for split, n in entry["num_suspicious"].items())
        yield f"- `{entry['data']}`: {counts}. {_named(entry['first_of_test'][:12])}"


def _named(labels: Sequence[Mapping[str, Any]]) -> str:
    named = (
        f"{label['index']} (labelled {label['given']}, probably {label['suggested']})"
        for label in labels
    )
    return f"The first of test: {', '.join(named)}." if labels else ""


if __name__ == "__main__":
    sys.exit(main())
