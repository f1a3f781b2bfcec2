"""`evaluate --against`: the same images by another run, whatever its size and class order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import tellapart
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError, RunError
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate

ONE = Session(threads=1)
QUICK = {"training.epochs": 1, "model.network": "single-conv"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of digits as files, 60 of each of two classes, without splits."""
    train = load_data_set("mnist-sample").split("train")
    place = tmp_path / "digits"
    for name in ("3", "8"):
        (place / name).mkdir(parents=True)
        rows = (train.labels == train.class_names.index(name)).nonzero().squeeze(1)[:60]
        for row in rows.tolist():
            Image.fromarray(train.images[row, 0].numpy()).save(place / name / f"{row}.png")
    return place


def trained_on(folder: Path, out: str, **settings: object) -> Path:
    changes = {**QUICK, **settings}
    return tellapart.train(folder, settings=changes, out=out, session=ONE).run


def test_the_counts_are_those_of_both_evaluations(run: Path):
    other = tellapart.train(settings=QUICK, out="other", shots=20, session=ONE)
    result = evaluate(run, against=other.run, session=ONE)
    found = result.to_json()["against"]
    assert other.test is not None
    assert found["accuracy"] == result.evaluation.accuracy
    assert found["other_accuracy"] == other.test.accuracy
    alone = found["num_only_this_correct"] - found["num_only_other_correct"]
    assert found["difference"] == pytest.approx(alone / 1000)
    assert len(found["only_this_correct"]) == found["num_only_this_correct"] > 0
    page = Path(found["page"])
    assert page == run / "against.html"
    assert page.read_text("utf-8").count("<img") > 2
    assert json.loads(page.with_suffix(".json").read_text("utf-8")) == {
        name: value for name, value in found.items() if name != "page"
    }


def test_the_same_weights_differ_in_nothing(run: Path, tmp_path: Path):
    twin = shutil.copytree(run, tmp_path / "twin")
    found = evaluate(run, against=twin, session=ONE).to_json()["against"]
    assert found["p_value"] == 1
    assert found["num_same_answer"] == 1000
    assert found["only_this_correct"] == found["only_other_correct"] == []


def test_the_other_run_may_have_another_image_size(folder: Path):
    small, large = trained_on(folder, "small"), trained_on(folder, "large", **{"data.size": 32})
    forth = evaluate(small, against=large, session=ONE).to_json()["against"]
    back = evaluate(large, against=small, session=ONE).to_json()["against"]
    assert (forth["accuracy"], forth["other_accuracy"]) == (
        back["other_accuracy"],
        back["accuracy"],
    )
    assert forth["difference"] == -back["difference"]
    assert forth["p_value"] == back["p_value"]


def test_another_division_is_refused(folder: Path):
    first, second = trained_on(folder, "first"), trained_on(folder, "2", **{"data.split_seed": 5})
    with pytest.raises(RunError, match=r"another test split.*data\.split_seed"):
        evaluate(first, against=second, session=ONE)
    assert not (first / "against.html").exists()


def test_other_data_is_answered_by_both(run: Path, digits: Path, make_digits, tmp_path: Path):
    other = trained_on(digits, "other")
    third = make_digits(tmp_path / "third", first=3, test_of="train")
    result = evaluate(run, third, against=other, session=ONE)
    assert result.to_json()["against"]["num_images"] == 100
    assert result.pages["against"].parent.parent.name == "evaluations"


def test_what_cannot_be_compared_exits_2(run: Path, folder: Path, refused):
    two = trained_on(folder, "two")
    assert "'0'" in refused("evaluate", run, "--against", two)
    assert "another run" in refused("evaluate", run, "--against", run)
    assert "nowhere" in refused("evaluate", run, "--against", "nowhere")
    with pytest.raises(RunError, match="no run"):
        evaluate(run, against="", session=ONE)


def test_images_that_the_other_run_was_trained_on_are_warned_of(run: Path, digits, tellapart):
    other = trained_on(digits, "other")
    outcome = tellapart("evaluate", other, digits, "--against", run, "--split", "train")
    assert outcome.code == 0
    assert f"run {run} has seen them" in outcome.err


def test_a_page_that_cannot_be_written_leaves_the_figures(run: Path, tellapart, tmp_path: Path):
    twin = shutil.copytree(run, tmp_path / "twin")
    (run / "against.html").mkdir()
    outcome = tellapart("evaluate", run, "--against", twin, "--json")
    assert outcome.code == 2
    assert outcome.json["against"]["page"] is None
    assert outcome.json["against"]["p_value"] == 1
    assert "against" in outcome.err
    assert not (run / "against.json").exists()


def test_the_table_names_both_and_the_page(run: Path, tellapart, tmp_path: Path):
    shutil.copytree(run, tmp_path / "twin")
    outcome = tellapart("evaluate", run, "--against", tmp_path / "twin")
    assert outcome.code == 0
    assert "run against twin" in outcome.out
    assert f"page      {run / 'against.html'}" in outcome.out


def test_the_pages_may_lie_where_an_evaluation_is_written_again(run: Path, tmp_path: Path):
    twin = shutil.copytree(run, tmp_path / "twin")
    for _ in range(2):
        evaluate(run, against=twin, out="elsewhere", session=ONE)
    assert Path("elsewhere/against.html").exists()


def test_an_examination_that_there_is_not_is_refused(run: Path):
    with pytest.raises(ConfigError, match=r"corupted.*against"):
        evaluate(run, corupted=True, session=ONE)  # type: ignore[call-arg]
