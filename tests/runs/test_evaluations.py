"""No evaluation is written over another, nor over anything else."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tellapart.data.sets.sources import load_data_set
from tellapart.errors import RunError
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.train import train


@pytest.fixture
def run(trained, tmp_path):
    """The run on mnist-sample, a copy that may be spoiled."""
    return RunFolder(shutil.copytree(trained.run, tmp_path / "run"))


def test_two_folders_of_one_name_are_kept_apart(run, make_digits, tmp_path):
    for place, first in (("here", 0), ("there", 5)):
        make_digits(tmp_path / place / "digits", first=first)
        evaluate(run.path, tmp_path / place / "digits", session=Session(threads=1))
    digests = [
        load_data_set(tmp_path / place / "digits").fingerprint[:8] for place in ("here", "there")
    ]
    names = {path.name for path in (run.path / "evaluations").iterdir()}
    assert names == {f"digits-{digest}-test" for digest in digests}
    assert len(names) == 2


def test_a_name_of_the_catalogue_needs_no_digest(run):
    result = evaluate(run.path, split="train", session=Session(threads=1))
    assert result.report.parent == run.path / "evaluations" / "mnist-sample-train"


def test_nine_views_leave_the_plain_evaluation_alone(run):
    before = run.evaluation_file.read_bytes(), run.report_file.read_bytes()
    result = evaluate(run.path, tta=True, session=Session(threads=1))
    assert (run.evaluation_file.read_bytes(), run.report_file.read_bytes()) == before
    assert result.report.parent == run.path / "evaluations" / "mnist-sample-test-nine-views"
    written = json.loads((result.report.parent / "evaluation.json").read_text("utf-8"))
    assert written == json.loads(json.dumps(result.evaluation.to_json()))


def test_a_recipe_that_asks_for_views_has_them_in_the_run_itself(tmp_path):
    settings = ["epochs=1", "model.network=single-conv", "prediction.views=mirrored"]
    trained = train(settings=settings, out=tmp_path / "run", session=Session(threads=1))
    run = RunFolder(trained.run)
    before = run.evaluation_file.read_bytes()
    title = "mnist-sample, test split, two views of each image"
    assert f"<h1>{title}</h1>" in run.report_file.read_text("utf-8")
    again = evaluate(run.path, session=Session(threads=1))
    assert (again.evaluation, again.report, again.views) == (trained.test, run.report_file, (2,))
    assert again.title == trained.title == title
    assert trained.to_json()["views"] == 2
    names = {}
    for tta in (True, False):
        result = evaluate(run.path, tta=tta, session=Session(threads=1))
        assert result.evaluation.loss != trained.test.loss
        names[result.views] = result.report.parent.name
    assert names == {(18,): "mnist-sample-test-eighteen-views", (1,): "mnist-sample-test"}
    assert run.evaluation_file.read_bytes() == before


def test_a_folder_that_was_asked_for(run, tmp_path):
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    folder = tmp_path / "pages" / "mine"
    result = evaluate(run.path, out=folder, session=Session(threads=1))
    assert result.report == folder / "report.html"
    assert {path.name for path in folder.iterdir()} == {"evaluation.json", "report.html"}
    assert (folder / "evaluation.json").read_bytes() == before["evaluation.json"]
    again = evaluate(run.path, tta=True, out=str(folder), session=Session(threads=1))
    assert again.report == folder / "report.html"
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_folder_with_something_else_in_it(run):
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    message = (
        f"{run.path} holds calibration.safetensors and is left as it is: an evaluation goes to "
        "a new or empty folder, or to that of an earlier one; choose another --out"
    )
    with pytest.raises(RunError, match=f"^{re.escape(message)}$"):
        evaluate(run.path, out=run.path, session=Session(threads=1))
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_file_where_the_folder_should_be(run, tmp_path):
    (tmp_path / "letter").write_text("dear", "utf-8")
    message = r"cannot write an evaluation to .*letter: Not a directory; choose another --out$"
    with pytest.raises(RunError, match=message):
        evaluate(run.path, out=tmp_path / "letter", session=Session(threads=1))
    assert (tmp_path / "letter").read_text("utf-8") == "dear"
