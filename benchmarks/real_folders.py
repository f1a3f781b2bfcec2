"""What one command gives on real folders: the presets on photographs, from ImageNet and from zero.

    python benchmarks/real_folders.py                     an hour and a half; writes, fills the docs
    python benchmarks/real_folders.py --folders ants-bees --presets quick --divisions 1 --dry-run
    python benchmarks/real_folders.py --render-only       fills the docs from the stored results

Protocol. Each figure is of ``tellapart train FOLDER --preset PRESET`` in a process of its own, with
everything else left at its default, but for ``data.split_seed`` and ``--seed``, which are both the
number of the division, 0 to 4: a fifth of each class is held out for test, look-alikes together,
and read once, after training. Mean and sample standard deviation are over the divisions. Ants and
bees come with 153 images to test on, so there only the seeds differ: their folder ``val`` is copied
as ``test``. The time is of the whole command with an empty cache, reading and decoding included,
for the first division alone, while nothing else runs. ``zero`` is ``--preset good --from-zero``.

The data lies in ``$TELLAPART_DATA`` or ``--data-dir``: ``ants-bees``, ``sign-digits`` and
``solar-cells``. Ants and bees are photographs that ImageNet was made of, so a network trained on it
has probably seen them; the other two are not.

The result goes to ``benchmarks/results/real_folders.json``, a run at a time, and is added to what
is there already; a table of it to README.md and docs/your_own_pictures.md, in both languages.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from protocol import (
    ROOT,
    data_folder,
    describe_run,
    fill_block,
    measured_on,
    results_so_far,
    run_fresh,
    spread,
    write_results,
)
from tellapart.runtime import choose_runtime

_FOLDERS = {
    "ants-bees": (
        "ants and bees, 244 + 153 colour photographs",
        "蚂蚁与蜜蜂，244 + 153 张彩色照片",
    ),
    "sign-digits": (
        "hands that sign digits, 2,062 colour photographs",
        "数字手势，2,062 张彩色照片",
    ),
    "solar-cells": (
        "solar cells, functional or defective, 2,624 grey",
        "太阳能电池片，完好或有缺陷，2,624 张灰度图",
    ),
}
_PRESETS = ("quick", "good", "zero")


def main() -> int:
    """Measure what is asked for, store each run, and fill the tables."""
    options = _parser().parse_args()
    results: dict[str, Any] = (
        {"runs": {}} if options.fresh else results_so_far("real_folders", "runs")
    )
    if not options.render_only:
        for division in range(options.divisions):
            for preset in options.presets:
                for folder in options.folders:
                    key = f"{folder} {preset} {division}"
                    if key in results["runs"]:
                        continue
                    with tempfile.TemporaryDirectory(prefix="tellapart-") as place:
                        data = _prepared(folder, options.data_dir, Path(place))
                        run = run_fresh(_train, str(data), preset, division, place)
                    print(key, run, file=sys.stderr, flush=True)
                    results["environment"] = describe_run(choose_runtime("cpu", "auto"))
                    results["runs"][key] = {**run, "commit": results["environment"]["commit"]}
                    if not options.dry_run:
                        write_results("real_folders", results)
    for language in ("en", "zh"):
        table = _table(results, language)
        print(table)
        if not options.dry_run:
            for page in _PAGES[language]:
                fill_block(ROOT / page, "real-folders", table)
    return 0


_PAGES = {
    "en": ("README.md", "docs/your_own_pictures.md"),
    "zh": ("README.zh-CN.md", "docs/your_own_pictures.zh-CN.md"),
}


def _prepared(folder: str, data_dir: Path | None, place: Path) -> Path:
    """The folder or table as it is given to the command."""
    source = data_folder(data_dir, folder)
    if folder == "solar-cells":
        return source / "cells.csv"
    if folder == "ants-bees":
        copy = place / "ants-bees"
        for given, name in (("train", "train"), ("val", "test")):
            shutil.copytree(source / given, copy / name)
        return copy
    return source


def _train(data: str, preset: str, division: int, place: str) -> dict[str, Any]:
    """One command with an empty cache, as a person would type it."""
    import os

    os.environ["TELLAPART_CACHE"] = f"{place}/cache"
    import tellapart

    started = time.perf_counter()
    result = tellapart.train(
        data,
        preset="good" if preset == "zero" else preset,
        from_zero=preset == "zero",
        settings={"data.split_seed": division},
        seed=division,
        out=f"{place}/run",
    )
    assert result.test is not None
    return {
        "recipe": result.recipe,
        "accuracy": result.test.accuracy,
        "balanced_accuracy": result.test.balanced_accuracy,
        "macro_f1": result.test.macro_f1,
        "num_images": result.test.num_images,
        "seconds": time.perf_counter() - started,
    }


def _table(results: dict[str, Any], language: str) -> str:
    english = language == "en"
    head = (
        "| folder | preset | accuracy % | balanced accuracy % | macro F1 | n | seconds |"
        if english
        else "| 文件夹 | 预设 | 准确率 % | 平衡准确率 % | 宏 F1 | 次数 | 秒 |"
    )
    lines = [head, "|---|---|---:|---:|---:|---:|---:|"]
    for folder, titles in _FOLDERS.items():
        for preset in _PRESETS:
            runs = [
                run for key, run in results["runs"].items() if key.split()[:2] == [folder, preset]
            ]
            if not runs:
                continue
            accuracy = spread([100 * run["accuracy"] for run in runs])
            balanced = spread([100 * run["balanced_accuracy"] for run in runs])
            macro_f1 = spread([run["macro_f1"] for run in runs])
            first = results["runs"].get(f"{folder} {preset} 0", runs[0])
            named = "good, from zero" if preset == "zero" else preset
            if not english and preset == "zero":
                named = "good，从零开始"
            lines.append(
                f"| {titles[0 if english else 1]} | {named} | {accuracy.to_text(1)} "
                f"| {balanced.to_text(1)} | {macro_f1.to_text(3)} | {len(runs)} "
                f"| {first['seconds']:.0f} |"
            )
    if "environment" in results:
        last = "The last run that was measured" if english else "最后一次测量"
        lines += ["", f"{last}: {measured_on(results['environment'])}"]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="The presets on real folders.")
    parser.add_argument("--folders", nargs="+", choices=list(_FOLDERS), default=list(_FOLDERS))
    parser.add_argument("--presets", nargs="+", choices=_PRESETS, default=list(_PRESETS))
    parser.add_argument("--divisions", type=int, default=5)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--fresh", action="store_true", help="forget the stored runs")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
