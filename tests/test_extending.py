"""docs/extending.md is true: its changes are made on a copy of the package, and its commands run.

A section's blocks are taken in order. ```` ```py ```` is a new file, named in its first line;
```` ```diff ```` changes the file named in its first line, hunk by hunk between lines ``@@``: what
is there before must be there exactly once. ```` ```sh ```` holds commands, ```` ```python ```` code
that prepares something for them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.sets.sources import load_data_set

ROOT = Path(__file__).parents[1]
PACKAGE = "src/tellapart/"
MOST_FILES = 4

# Runs what the page says in one process, so that torch is loaded once.
RUN_ALL = """
import json, runpy, shlex, sys
from tellapart.cli import run
for kind, text in json.load(sys.stdin):
    if kind == "sh":
        for command in text.splitlines():
            print("$", command, flush=True)
            code = run(shlex.split(command)[1:])
            assert code == 0, f"{command} ended with {code}"
    else:
        exec(compile(text, kind, "exec"), {"__name__": "__main__"})
"""


@dataclass(frozen=True)
class Walkthrough:
    """A section of the page: its title, the files that it names, and its blocks."""

    title: str
    files: tuple[str, ...]
    blocks: tuple[tuple[str, str], ...]


def walkthroughs() -> list[Walkthrough]:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    found = []
    for section in page.split("\n## ")[1:]:
        title = section.partition("\n")[0]
        named = re.search(r"^\*\*Files:\*\* (.*)$", section, re.MULTILINE)
        assert named, title
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        files = tuple(PACKAGE + name for name in re.findall(r"`([^`]+)`", named[1]))
        found.append(Walkthrough(title, files, tuple(blocks)))
    return found


WALKTHROUGHS = walkthroughs()
TITLES = [walkthrough.title for walkthrough in WALKTHROUGHS]


def make_changes(walkthrough: Walkthrough, root: Path) -> set[str]:
    """Make the changes below ``root``; the files that they touch."""
    touched = set()
    for kind, text in walkthrough.blocks:
        first, _, rest = text.partition("\n")
        if kind == "py":
            name = first.removeprefix("# ")
            assert not (root / name).exists(), name
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(rest, encoding="utf-8")
        elif kind == "diff":
            name = first.removeprefix("--- ")
            changed = (root / name).read_text(encoding="utf-8")
            for hunk in rest.split("@@\n"):
                lines = hunk.splitlines(keepends=True)
                before = "".join(line[1:] or line for line in lines if line[0] != "+")
                after = "".join(line[1:] or line for line in lines if line[0] != "-")
                assert changed.count(before) == 1, f"{name} has not once:\n{before}"
                changed = changed.replace(before, after)
            (root / name).write_text(changed, encoding="utf-8")
        else:
            continue
        touched.add(name)
    return touched


@pytest.fixture
def copy_of_the_package(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    return tmp_path


def python(folder: Path, code: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        input=given,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_page_has_the_seven_walkthroughs():
    subjects = (
        *("optimizer", "data source", "network", "metric", "export format", "verb"),
        "examination",
    )
    assert len(TITLES) == len(subjects)
    assert all(subject in title for subject, title in zip(subjects, TITLES, strict=True))


@pytest.mark.parametrize("walkthrough", WALKTHROUGHS, ids=TITLES)
def test_a_walkthrough_touches_the_files_that_it_names_and_no_more_than_four(
    copy_of_the_package: Path, walkthrough: Walkthrough
):
    touched = make_changes(walkthrough, copy_of_the_package)
    assert {name for name in touched if name.startswith(PACKAGE)} == set(walkthrough.files)
    assert len(walkthrough.files) <= MOST_FILES


def test_all_of_them_keep_the_layers_and_do_what_the_page_says(copy_of_the_package: Path, trained):
    place = copy_of_the_package
    for walkthrough in WALKTHROUGHS:
        make_changes(walkthrough, place)
    shutil.copy(ROOT / ".importlinter", place)
    linted = python(place, "from importlinter.cli import lint_imports_command as m; m()")
    assert linted.returncode == 0, linted.stdout

    shutil.copytree(trained.run, place / "runs" / "digits")
    digits = load_data_set("mnist-sample").split("test").images[::300, 0]
    (place / "scans").mkdir()
    for index, digit in enumerate(digits):
        Image.fromarray(digit.numpy()).save(place / "scans" / f"{index}.png")
    blocks = [b for w in WALKTHROUGHS for b in w.blocks if b[0] in ("sh", "python")]
    done = python(place, RUN_ALL, json.dumps(blocks))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"kappa 0\.\d{4}", done.stdout)
    assert '"test": {\n      "0": 100' in done.stdout
    evaluation = json.loads((place / "runs" / "digits" / "evaluation.json").read_text("utf-8"))
    assert 0 < evaluation["cohen_kappa"] < evaluation["accuracy"]
    assert (place / "runs" / "digits" / "mirrored.html").exists()
    used = python(place, "import runpy; runpy.run_path('use_it.py')")
    assert used.returncode == 0, used.stderr
    assert len(used.stdout.split(",")) == 5
