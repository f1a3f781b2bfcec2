"""What ``tellapart explain`` costs, and whether the kinds that it tells of mistakes are true.

    python benchmarks/explaining.py                  three networks, a minute each to train
    python benchmarks/explaining.py --seeds 1
    python benchmarks/explaining.py --render-only    fills docs/explaining.md from the results

Protocol. ``tellapart train`` on mnist-sample with everything left at its default but for
``--seed``, 0 to 2. The time is that of ``tellapart explain RUN``, a whole command in a process of
its own, in processor seconds on one thread, which other programs on the machine change less than
the clock; the features of the training images are computed anew. The completeness gaps are those of
its integrated gradients.

The kinds are told of images whose kind is known by making. *Labels made wrong*: all test images
that are classified correctly, their label replaced by another class at random. *Another kind of
images*: the first 1,000 test images of Fashion-MNIST, as pictures without a label. *Usual images*:
all test images, as pictures without a label; of these 1 % are called unlike the training images by
definition, if they are as the images that the kinds are calibrated on. Fractions are means over the
seeds.

The result goes to ``benchmarks/results/explaining.json``, a seed at a time; a table of it to
docs/explaining.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

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
from tellapart.runtime import choose_runtime

_PAGE = "docs/explaining.md"
_NUM_OTHERS = 1000
_SETS = {
    "wrong-label": "labels made wrong",
    "fashion": "another kind of images (Fashion-MNIST)",
    "usual": "usual test images",
}
_KINDS = (
    "label probably wrong",
    "unlike the training images",
    "two classes look alike here",
    "other",
    "nothing unusual",
)


def main() -> int:
    """Measure what is asked for, store each seed, and fill the table."""
    options = _parser().parse_args()
    results = results_so_far("explaining", "runs")
    if not options.render_only:
        for seed in range(options.seeds):
            if str(seed) in results["runs"]:
                continue
            with tempfile.TemporaryDirectory(prefix="tellapart-") as place:
                run = Path(place) / "run"
                found = run_fresh(_train, run, seed)
                found |= run_fresh(_time, run)
                found["kinds"] = run_fresh(_kinds, run, options.data_dir)
            print(seed, found, file=sys.stderr, flush=True)
            results["environment"] = describe_run(choose_runtime("cpu", "fp32"))
            commit = results["environment"]["commit"]
            results["runs"][str(seed)] = {**found, "commit": commit}
            write_results("explaining", results)
    table = _table(results)
    print(table)
    fill_block(ROOT / _PAGE, "explaining", table)
    return 0


def _train(run: Path, seed: int) -> dict[str, Any]:
    import tellapart

    result = tellapart.train(seed=seed, out=run, session=tellapart.Session(threads=1))
    assert result.test is not None
    return {"accuracy": result.test.accuracy}


def _time(run: Path) -> dict[str, Any]:
    """The command in a process of its own, with a cache of its own."""
    import json

    environment = {**os.environ, "XDG_CACHE_HOME": str(run.parent / "cache")}
    command = [sys.executable, "-m", "tellapart", "explain", str(run), "--threads", "1", "--json"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    content = json.loads(done.stdout)
    return {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "num_mistakes": content["num_mistakes"],
        "num_explained": len(content["pictures"]),
        "largest_completeness_gap": content["largest_completeness_gap"],
        "page_bytes": Path(content["page"]).stat().st_size,
    }


def _kinds(run: Path, data_dir: Path | None) -> dict[str, dict[str, float]]:
    """For each set of images the fraction of each kind."""
    import torch

    import tellapart
    from tellapart.evaluation import predict_logits
    from tellapart.explanation.explaining import Answered, Explainer
    from tellapart.explanation.neighbourhood import measure_neighbourhood

    session = tellapart.Session(threads=1, data_dir=data_dir)
    opened = tellapart.open_run(run, session=session)
    classifier, test = opened.classifier.eval(), opened.splits["test"]
    fashion = tellapart.load_data_set("fashion-mnist", data_dir=data_dir).split("test")
    random = torch.Generator().manual_seed(0)

    def answered(images: torch.Tensor, labels: torch.Tensor | None) -> list[Answered]:
        logits = predict_logits(classifier, images, device=torch.device("cpu"))
        rows = logits.softmax(1)
        answers = rows.argmax(1)
        others = rows.scatter(1, answers[:, None], -1).argmax(1)
        keep = torch.ones(len(images), dtype=torch.bool)
        if labels is not None:
            keep = answers == labels
            moved = torch.randint(1, rows.shape[1], labels.shape, generator=random)
            others = (labels + moved) % rows.shape[1]
        return [
            Answered(
                images[index],
                int(answers[index]),
                float(rows[index, answers[index]]),
                int(others[index]),
                float(rows[index, others[index]]),
                is_truth=labels is not None,
                index=index,
            )
            for index in keep.nonzero().flatten().tolist()
        ]

    with session.limited_threads():
        around = measure_neighbourhood(
            classifier,
            opened.splits,
            session.runtime(),
            session.callbacks.progress_of("computing features"),
        )
        explainer = Explainer(classifier, around)
        sets = {
            "wrong-label": answered(test.images, test.labels),
            "fashion": answered(fashion.images[:_NUM_OTHERS], None),
            "usual": answered(test.images, None),
        }
        counts = {
            name: Counter(entry.kind.name for entry in explainer.explain(part, ()) if entry.kind)
            for name, part in sets.items()
        }
    return {
        name: {kind: found[kind] / found.total() for kind in _KINDS}
        for name, found in counts.items()
    }


def _table(results: dict[str, Any]) -> str:
    runs = list(results["runs"].values())
    lines = [
        "| images | " + " | ".join(_KINDS) + " |",
        "|---|" + "---:|" * len(_KINDS),
    ]
    for name, title in _SETS.items():
        means = (spread([run["kinds"][name][kind] for run in runs]).mean for kind in _KINDS)
        lines.append(f"| {title} | " + " | ".join(f"{100 * mean:.1f} %" for mean in means) + " |")
    seconds = spread([run["cpu_seconds"] for run in runs])
    gap = max(run["largest_completeness_gap"] for run in runs)
    explained = ", ".join(str(run["num_explained"]) for run in runs)
    return "\n".join(
        [
            *lines,
            "",
            f"The command, with three maps of two classes for each of {explained} mistakes: "
            f"{seconds.to_text(1)} processor seconds (n = {seconds.n}); the largest completeness "
            f"gap is {100 * gap:.2f} %.",
            "",
            measured_on(results["environment"]),
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many networks")
    parser.add_argument("--data-dir", type=Path, help="the folder of the data sets")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
