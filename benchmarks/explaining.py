"""What explaining costs, which kinds of mistakes it tells, and whether it finds wrong labels.

Protocol: recipe ``small-data`` on mnist-sample, seed 0, trained before the clock starts. Then

1. `tellapart explain RUN`, the whole command in a new process, from its start to its end, after one
   that warms the cache of features up: wall-clock and processor seconds, n times.
2. The labels of 200 correctly classified test images, drawn by a seed, are replaced by other
   classes at random; how many are called "label probably wrong", and how many of the run's real
   mistakes are.

Results go into ``benchmarks/results/explaining.json``, the tables in ``docs/explaining.md`` are
written from that file alone.

    python benchmarks/explaining.py                  measures, rewrites the tables
    python benchmarks/explaining.py --render-only    rewrites the tables from the stored results
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from protocol import (
    ROOT,
    describe_run,
    fill_block,
    measured_on,
    read_results,
    spread,
    write_results,
)
from tellapart.evaluation import predict_logits
from tellapart.evaluation.metrics import wilson_interval
from tellapart.explanation.explaining import Answered, Explainer
from tellapart.explanation.kinds import LABEL
from tellapart.explanation.neighbourhood import measure_neighbourhood
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.wording import percent
from tellapart.workflow.explain import explain
from tellapart.workflow.train import train

DOCUMENT = ROOT / "docs" / "explaining.md"
_NUM_FLIPPED = 200


def measure(folder: Path, repeats: int) -> dict[str, Any]:
    """Train the run, and measure both parts."""
    session = Session()
    run = train("mnist-sample", recipe="small-data", out=folder / "run", session=session).run
    times = _times(run, repeats)
    result = explain(run, session=session)
    gaps = [
        gap
        for entry in result.explained
        for gap in entry.maps["integrated-gradients"].gaps or (0.0,)
    ]
    return {
        "environment": describe_run(session.runtime()),
        "times": times,
        "largest_completeness_gap": max(gaps),
        "kinds": dict(Counter(entry.kind.name for entry in result.explained if entry.kind)),
        "labels": _labels(run, session),
    }


def _times(run: Path, repeats: int) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "tellapart", "explain", str(run)]
    times = []
    for number in range(repeats + 1):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if number:  # the first one computes the features of the training images
            times.append({"seconds": wall, "processor_seconds": used})
    return times


def _labels(run: Path, session: Session) -> dict[str, int]:
    """How many wrong labels, planted and not, are called so."""
    opened, runtime = open_run(run, session=session), session.runtime()
    classifier = opened.classifier.to(runtime.device).eval()
    test = opened.splits["test"]
    logits = predict_logits(classifier, test.images, device=runtime.device)
    answers, probabilities = classifier.decide(logits), logits.softmax(1)
    around = measure_neighbourhood(
        classifier, opened.splits, runtime, session.callbacks.progress_of("computing features")
    )
    explainer, generator = Explainer(classifier, around), torch.Generator().manual_seed(0)
    right = (answers == test.labels).nonzero().squeeze(1)
    drawn = right[torch.randperm(len(right), generator=generator)[:_NUM_FLIPPED]]
    step = torch.randint(1, test.num_classes, (len(drawn),), generator=generator)
    planted = (test.labels[drawn] + step) % test.num_classes
    wrong = (answers != test.labels).nonzero().squeeze(1)

    def called(indices: torch.Tensor, labels: torch.Tensor) -> int:
        answered = [
            Answered(
                test.images[index],
                int(answers[index]),
                float(probabilities[index, answers[index]]),
                int(label),
                float(probabilities[index, label]),
                is_truth=True,
                index=int(index),
            )
            for index, label in zip(indices.tolist(), labels.tolist(), strict=True)
        ]
        found = explainer.explain(answered, ())
        return sum(entry.kind is not None and entry.kind.name == LABEL for entry in found)

    return {
        "num_planted": len(drawn),
        "planted_called_wrong": called(drawn, planted),
        "num_mistakes": len(wrong),
        "mistakes_called_wrong": called(wrong, test.labels[wrong]),
    }


def render(results: dict[str, Any]) -> None:
    """Rewrites the tables of the page."""
    fill_block(DOCUMENT, "planted-labels", _labels_text(results["labels"]))
    fill_block(DOCUMENT, "explain-cost", _cost_text(results))


def _labels_text(labels: dict[str, int]) -> str:
    found, planted = labels["planted_called_wrong"], labels["num_planted"]
    low, high = wilson_interval(found, planted)
    return (
        f"Of {planted} test images with a planted wrong label {found} are called so, "
        f"{percent(found / planted, 1)} (95 % interval {percent(low, 1)} to {percent(high, 1)}); "
        f"of the {labels['num_mistakes']} real mistakes of that run "
        f"{labels['mistakes_called_wrong']}."
    )


def _cost_text(results: dict[str, Any]) -> str:
    wall = spread([run["seconds"] for run in results["times"]])
    used = spread([run["processor_seconds"] for run in results["times"]])
    return (
        f"`tellapart explain RUN` took {wall.to_text(1)} s of wall-clock time and "
        f"{used.to_text(1)} processor seconds (n = {wall.n}); the largest completeness gap was "
        f"{percent(results['largest_completeness_gap'])}. "
        f"{measured_on(results['environment'])}"
    )


def main() -> int:
    """Measures, or only renders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--render-only", action="store_true")
    parser.add_argument("--repeats", type=int, default=5, help="timed commands; by default 5")
    arguments = parser.parse_args()
    if not arguments.render_only:
        with tempfile.TemporaryDirectory() as folder:
            write_results("explaining", measure(Path(folder), arguments.repeats))
    render(read_results("explaining"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
