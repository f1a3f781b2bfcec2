"""`.importlinter` refuses what docs/README.md says must not be, also in places still empty."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="import-linter is not installed")

ROOT = Path(__file__).parents[1]
WINGS = ("explanation", "trust", "compression", "exporting", "serving", "searching", "privacy")
BELOW_A_WING = (
    *("report", "illustration", "runs.trained_run", "training.trainer", "finetuning.start"),
    *("evaluation", "models.classifier", "data.image_set", "ops", "page", "runtime", "config"),
    *("files", "errors", "wording", "openmp"),
)


def layers(contract: str = "layers") -> list[list[str]]:
    """The floors of a contract from the top down, each with the names of its rooms."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter", encoding="utf-8")
    lines = config[f"importlinter:contract:{contract}"]["layers"].split("\n")
    return [re.findall(r"\w+", line) for line in lines if line.strip()]


def lint(folder: Path, modules: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Check a copy of the package in which ``modules`` hold other or further text."""
    package = folder / "src" / "tellapart"
    shutil.copytree(ROOT / "src" / "tellapart", package, ignore=shutil.ignore_patterns("*.pyc"))
    for name, text in modules.items():
        place = package / name
        place.parent.mkdir(exist_ok=True)
        before = place.read_text(encoding="utf-8") if place.exists() else ""
        place.write_text(before + text, encoding="utf-8")
    shutil.copy(ROOT / ".importlinter", folder)
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as m; m()"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(package.parent), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_wing_may_see_all_that_lies_below(tmp_path: Path):
    imports = "".join(f"import tellapart.{name}\n" for name in BELOW_A_WING)
    wings = {f"{wing}/__init__.py": imports for wing in WINGS}
    done = lint(
        tmp_path, {**wings, "workflow/joined.py": "from tellapart import exporting, serving"}
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("modules", "arrow"),
    [
        (
            {"exporting/__init__.py": "from tellapart import trust"},
            "tellapart.exporting -> tellapart.trust",
        ),
        (
            {"serving.py": "from tellapart.workflow.predict import predict"},
            "tellapart.serving -> tellapart.workflow.predict",
        ),
        ({"searching.py": "import tellapart.cli"}, "tellapart.searching -> tellapart.cli"),
        (
            {"exporting.py": "", "runs/session.py": "\nimport tellapart.exporting"},
            "tellapart.runs.session -> tellapart.exporting",
        ),
        ({"helpers.py": ""}, "tellapart.helpers"),
        (
            {"data/sets/table.py": "\nfrom tellapart.data.quality import audit"},
            "tellapart.data.sets.table -> tellapart.data.quality.audit",
        ),
        ({"data/shelf.py": ""}, "tellapart.data.shelf"),
        (
            {"training/schedule.py": "\nfrom tellapart.training import trainer"},
            "No circles anywhere BROKEN",
        ),
        (
            {"models/reading.py": "\nfrom tellapart.models import classifier"},
            "tellapart.models.reading -> tellapart.models.classifier",
        ),
    ],
    ids=[
        "a wing that imports a wing",
        "a wing that imports a verb",
        "a wing that imports the command line",
        "a lower floor that imports a wing",
        "a module without a floor",
        "sets that import quality",
        "a module of data without a floor",
        "a circle on one floor",
        "reading that loads torch",
    ],
)
def test_an_arrow_that_must_not_be_is_refused(tmp_path: Path, modules: dict[str, str], arrow: str):
    done = lint(tmp_path, modules)
    assert done.returncode == 1, done.stdout
    assert arrow in done.stdout


def test_the_picture_of_the_house_has_the_floors_of_the_contract():
    picture = ElementTree.parse(ROOT / "docs" / "images" / "house.svg")
    drawn: dict[str, dict[float, list[str]]] = {"layers": {}, "data": {}}
    for text in picture.iter("{http://www.w3.org/2000/svg}text"):
        kind, _, floor = text.get("class", "").partition(" ")
        if kind == "room":
            rooms = drawn[floor or "layers"].setdefault(float(text.get("y", "nan")), [])
            rooms.append((text.text or "").rstrip("/").removesuffix(".py"))
    for contract, floors in drawn.items():
        from_the_top = [sorted(floors[height]) for height in sorted(floors)]
        assert from_the_top == [sorted(floor) for floor in layers(contract)]


def test_the_page_has_a_paragraph_for_each_floor_from_the_top_down():
    page = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    told = [re.findall(r"`(\w+)(?:/|\.py)?`", heading) for heading in headings]
    built = [floor for floor in layers() if not set(floor) & set(WINGS)]
    assert [sorted(names) for names in told if names] == [sorted(floor) for floor in built]
    assert all(f"`{wing}`" in page for wing in WINGS)
