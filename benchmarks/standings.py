"""The leaderboard: a row from its runs, rows merged, and the table of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from protocol import Spread, spread
from tellapart.config import load_recipe, recipe_names
from tellapart.models.views import num_views

YARDSTICK = "tutorial-loop"

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def seconds_to_accuracy(run: Run, target: float) -> float | None:
    """Training seconds until the test split was first read at ``target`` or better.

    A peer is read after every epoch, a recipe once, after the last; None where none was enough.
    """
    seconds = run.get("seconds_per_epoch", [run["train_seconds"]])
    accuracies = run.get("test_accuracy_per_epoch", [run["test_accuracy"]])
    return next(
        (
            elapsed
            for elapsed, accuracy in zip(accumulate(seconds), accuracies, strict=True)
            if accuracy >= target
        ),
        None,
    )


def make_row(
    runs: Sequence[Run],
    loop_runs: Sequence[Run],
    environment: Mapping[str, Any],
    target: float,
    cold_runs: Sequence[Run] = (),
) -> dict[str, Any]:
    """Everything that is known of one row.

    Args:
        runs: the row's own, one per seed.
        loop_runs: of the tutorials' loop, timed in the same run of the script.
        environment: machine, versions, commit and command.
        target: the accuracy that seconds are taken to.
        cold_runs: whole processes, with ``process_seconds``.
    """
    train_seconds = spread([run["train_seconds"] for run in runs])
    loop_seconds = spread([run["train_seconds"] for run in loop_runs])
    reached = [seconds_to_accuracy(run, target) for run in runs]
    to_target = [seconds for seconds in reached if seconds is not None]
    cold = [run["process_seconds"] for run in cold_runs]
    return {
        "num_parameters": runs[0]["num_parameters"],
        "num_epochs": max(run["num_epochs"] for run in runs),
        "precision": runs[0]["precision"],
        "software": runs[0].get("software", ""),
        "test_accuracy_percent": spread([100 * run["test_accuracy"] for run in runs]).to_json(),
        "train_seconds": train_seconds.to_json(),
        "times_tutorial_loop": loop_seconds.mean / train_seconds.mean,
        "seconds_to_target": spread(to_target).to_json() if to_target else None,
        "cold_start_seconds": spread(cold).to_json() if cold else None,
        "environment": dict(environment),
        "runs": list(runs),
        "cold_runs": list(cold_runs),
        "loop_runs": list(loop_runs),
    }


def merge(stored: Mapping[str, Row], measured: Mapping[str, Row]) -> dict[str, Row]:
    """The stored rows with those that were measured in their place, and the new ones after them."""
    return {**stored, **measured}


@dataclass(frozen=True)
class Wording:
    """The texts of the table in one language.

    Args:
        peers: what a row that is no recipe is called, by its name.
        recipe: what a recipe is called, from its name.
        views: added to a recipe that averages over several views of each picture.
        heads: of the eight columns.
        some_runs: how many of the seeds reached the target.
        note: how to read the table.
        measured: where and how rows were measured.
    """

    peers: Mapping[str, str]
    recipe: str
    views: str
    heads: tuple[str, ...]
    some_runs: str
    note: str
    measured: str


_LOOP = "benchmarks/tutorial_loop.py"
_EXAMPLE = "https://github.com/pytorch/examples/tree/main/mnist"
_KERAS = "https://keras.io/examples/vision/mnist_convnet/"

ENGLISH = Wording(
    peers={
        "tutorial-loop": f"[the tutorials' loop]({_LOOP})",
        "pytorch-example": f"[the official PyTorch example]({_EXAMPLE})",
        "keras-example": f"[Keras' own example]({_KERAS})",
    },
    recipe="**`{name}`**",
    views="{count} views of each picture",
    heads=(
        *("", "parameters", "epochs", "test accuracy, %", "training, s"),
        *("times as fast as the tutorials' loop", "to {target} %, s", "typed to printed, s"),
    ),
    some_runs="{reached} of {all} seeds",
    note="All of {data}, the shortest training first; mean ± sample std (n seeds). Rows in "
    "bold are recipes of this package: `tellapart train {source} --recipe NAME`. Training is the "
    "training loop alone, after a warm-up, each run in a process of its own. *Times as fast*: the "
    "seconds of the tutorials' loop, five epochs of it timed in the same run of the script, over "
    "those of the row. *To {target} %*: training seconds until the test accuracy first reaches "
    "that; recipes are tested once, after their last epoch, the others after every epoch, and only "
    "for this column. *Typed to printed*: the whole process, importing torch included.",
    measured="- {rows}: {hardware}, {cores} cores, torch on {threads} of them; Python {python}, "
    "torch {torch}, tellapart {tellapart}, commit {commit}; `{command}`.",
)
CHINESE = Wording(
    peers={
        "tutorial-loop": f"[教程的训练循环]({_LOOP})",
        "pytorch-example": f"[PyTorch 官方示例]({_EXAMPLE})",
        "keras-example": f"[Keras 官方示例]({_KERAS})",
    },
    recipe="**`{name}`**",
    views="每张图片看 {count} 个视角",
    heads=(
        *("", "参数量", "轮数", "测试准确率，%", "训练，秒"),
        *("相当于教程循环的几倍快", "达到 {target} %，秒", "从敲下命令到打印结果，秒"),
    ),
    some_runs="{all} 个种子中的 {reached} 个",
    note="完整 {data}，训练最短的在前；均值 ± 样本标准差（n 个随机种子）。加粗的行是本软件的配方："
    "`tellapart train {source} --recipe NAME`。训练时间只计训练循环，计时前先预热，"
    "每次运行各用一个新进程。“几倍快”：同一次测量中教程循环训练五轮的秒数除以该行的秒数。"
    "“达到 {target} %”：测试集读数首次达到该值时已用的训练秒数；配方只在最后一轮之后读一次测试集，"
    "其余各行每轮之后都读，且仅为这一列。“从敲下命令到打印结果”：整个进程的时间，包括导入 torch。",
    measured="- {rows}：{hardware}，{cores} 核，torch 用其中 {threads} 个；Python {python}，"
    "torch {torch}，tellapart {tellapart}，提交 {commit}；`{command}`。",
)


def table(rows: Mapping[str, Row], wording: Wording, source: str, title: str, target: float) -> str:
    """The rows in Markdown, the shortest training first, and the conditions below them.

    Args:
        rows: by their names.
        wording: the language.
        source: what the data set is called on the command line.
        title: what people call it.
        target: the accuracy that seconds are taken to.
    """
    percent = f"{100 * target:.1f}"
    heads = [head.format(target=percent) for head in wording.heads]
    ranked = sorted(rows.items(), key=lambda item: item[1]["train_seconds"]["mean"])
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    lines += [_line(_cells(name, row, wording)) for name, row in ranked]
    note = wording.note.format(data=title, source=source, target=percent)
    return "\n".join([*lines, "", note, "", *_measured(dict(ranked), wording)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(name: str, row: Row, wording: Wording) -> list[str]:
    accuracy, seconds = Spread(**row["test_accuracy_percent"]), Spread(**row["train_seconds"])
    cold = row["cold_start_seconds"]
    kind = ", ".join(filter(None, [row["software"], row["precision"], _views(name, wording)]))
    return [
        f"{_title(name, wording)}, {kind}",
        f"{row['num_parameters']:,}",
        str(row["num_epochs"]),
        f"{accuracy.to_text(2)} (n = {accuracy.n})",
        seconds.to_text(1),
        _times(row["times_tutorial_loop"]),
        _to_target(row, wording),
        Spread(**cold).to_text(1) if cold else "",
    ]


def _views(name: str, wording: Wording) -> str:
    """How many views of a picture a recipe averages over, if several; peers take one."""
    count = num_views(load_recipe(name).prediction.views) if name in recipe_names() else 1
    return wording.views.format(count=count) if count > 1 else ""


def _title(name: str, wording: Wording) -> str:
    return wording.peers.get(name) or wording.recipe.format(name=name)


def _times(ratio: float) -> str:
    """Two digits that count: ``0.35``, ``2.4``, ``15``."""
    return f"{ratio:.2f}" if ratio < 0.995 else f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"


def _to_target(row: Row, wording: Wording) -> str:
    if row["seconds_to_target"] is None:
        return "—"
    reached, num_runs = Spread(**row["seconds_to_target"]), len(row["runs"])
    some = wording.some_runs.format(reached=reached.n, all=num_runs)
    return reached.to_text(1) + ("" if reached.n == num_runs else f" ({some})")


def _measured(rows: Mapping[str, Row], wording: Wording) -> list[str]:
    """A line for each of the conditions that rows were measured under."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, row in rows.items():
        environment = row["environment"]
        hardware = environment.get("gpu", environment["processor"])
        # Everything but the names, so that rows measured alike share a line.
        groups[wording.measured.format(rows="{rows}", hardware=hardware, **environment)].append(
            name
        )
    return [
        condition.replace("{rows}", ", ".join(f"`{name}`" for name in names), 1)
        for condition, names in groups.items()
    ]
