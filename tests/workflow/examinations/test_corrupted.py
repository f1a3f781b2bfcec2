"""`evaluate --corrupted`: fifteen kinds, a page with each, and the images it does not suit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.examinations import corrupted

ONE = Session(threads=1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrupted, "_MOST_IMAGES", 40)


def test_every_kind_is_measured_and_shown(run: Path, few: None, tellapart):
    outcome = tellapart("evaluate", run, "--corrupted", "--json")
    assert outcome.code == 0
    found = outcome.json["corrupted"]
    assert (found["family"], found["num_images"], len(found["kinds"])) == ("drawings", 40, 15)
    assert found["mean_accuracy"] < found["clean_accuracy"]
    page = Path(found["page"]).read_text("utf-8")
    assert page.count("<img") == 1 + 15 * 5
    assert all(kind["kind"] in page for kind in found["kinds"])
    beside = json.loads(Path(found["page"]).with_suffix(".json").read_text("utf-8"))
    assert beside == {name: value for name, value in found.items() if name != "page"}


def test_it_is_the_same_every_time_and_in_every_batch(run: Path, few: None, monkeypatch):
    first = evaluate(run, corrupted=True, session=ONE).to_json()["corrupted"]
    monkeypatch.setattr("tellapart.evaluation.predicting._MOST_IMAGES", 7)
    assert evaluate(run, corrupted=True, session=ONE).to_json()["corrupted"] == first


def test_an_ensemble_and_other_data_are_examined_too(run: Path, few: None, digits: Path):
    other = tellapart.train(
        settings={"training.epochs": 1, "model.network": "single-conv", "training.seed": 1},
        out="other",
        shots=30,
        session=ONE,
    )
    result = evaluate([run, other.run], digits, corrupted=True, session=ONE)
    assert result.to_json()["corrupted"]["num_images"] == 40
    assert result.pages["corrupted"].parent.parent.name == "evaluations"


def test_a_table_has_a_row_for_each_kind(run: Path, few: None, tellapart):
    outcome = tellapart("evaluate", run, "--corrupted")
    lines = outcome.out.splitlines()
    assert sum(line.count(" %") == 6 for line in lines) == 15
    assert any(line.startswith("corrupted ") and "mean error" in line for line in lines)
    assert "75 of 75" in outcome.err


def test_images_too_small_to_corrupt_are_refused(tmp_path: Path, refused):
    random = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (random.integers(0, 60, (60, 7, 7)) + labels[:, None, None] * 120).astype(np.uint8)
    np.savez("small.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    settings = {"training.epochs": 1, "model.network": "single-conv"}
    trained = tellapart.train("small.npz", settings=settings, out="small", session=ONE)
    message = refused("evaluate", trained.run, "--corrupted")
    assert "8 pixels" in message
    assert "7x7" in message
    assert not (trained.run / "corrupted.html").exists()
