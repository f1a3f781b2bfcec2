"""`evaluate --attacked`: a curve that falls, through views and ensembles too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.examinations import attacked

ONE = Session(threads=1)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attacked, "_MOST_IMAGES", ((32 * 32, 20),))
    monkeypatch.setitem(attacked._LEVELS, "drawings", (8, 32, 76))


def test_the_accuracy_falls_with_the_strength(run: Path, tellapart):
    outcome = tellapart("evaluate", run, "--attacked", "--json")
    assert outcome.code == 0
    found = outcome.json["attacked"]
    assert found["num_images"] == 20
    assert found["levels"][0] == 0
    assert found["accuracy"] == sorted(found["accuracy"], reverse=True)
    assert found["accuracy"][0] > 0.7 > 0.2 > found["accuracy"][-1]
    page = Path(found["page"])
    assert page.read_text("utf-8").count("<img") == 24
    assert "promises nothing" in page.read_text("utf-8")
    beside = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert beside == {name: value for name, value in found.items() if name != "page"}


def test_the_table_says_what_it_does_not_show(run: Path, tellapart):
    outcome = tellapart("evaluate", run, "--attacked")
    assert "8 of 255" in outcome.out
    assert "promises nothing" in outcome.out
    assert f"page      {run / 'attacked.html'}" in outcome.out


def test_views_and_ensembles_are_attacked_as_a_whole(run: Path, tmp_path: Path, monkeypatch):
    twin = Path(shutil.copytree(run, tmp_path / "twin"))
    alone = evaluate(run, attacked=True, session=ONE).to_json()["attacked"]
    twins = evaluate([run, twin], attacked=True, session=ONE).to_json()["attacked"]
    # The mean of two equal classifiers has the same weaknesses.
    assert twins["accuracy"] == pytest.approx(alone["accuracy"], abs=0.1)
    monkeypatch.setattr(attacked, "_MOST_IMAGES", ((32 * 32, 5),))
    seen = evaluate(run, tta=True, attacked=True, out="nine", session=ONE).to_json()["attacked"]
    assert seen["accuracy"][-1] < seen["accuracy"][0]


def test_it_is_the_same_every_time(run: Path):
    first, second = (
        evaluate(run, attacked=True, session=ONE).to_json()["attacked"] for _ in range(2)
    )
    assert first == second
