"""`evaluate --coverage` and `predict --coverage`: the same sets, on a page and in a list."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import tellapart
from tellapart.data.sets.sources import load_data_set
from tellapart.runs.calibration import HeldOutAnswers
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.predict import predict

ONE = Session(threads=1)


@pytest.fixture
def scans() -> Path:
    """Thirty test digits as files, in the order of the split."""
    images = load_data_set("mnist-sample").split("test").images
    Path("scans").mkdir()
    for number in range(30):
        Image.fromarray(images[33 * number, 0].numpy()).save(f"scans/{number:02}.png")
    return Path("scans")


@pytest.fixture
def refused(tellapart):
    """Run a command that must be refused in a line or two, and return its message."""

    def call(*arguments):
        outcome = tellapart(*arguments, "--threads", "1")
        assert (outcome.code, outcome.out) == (2, "")
        assert len(outcome.err.splitlines()) <= 2
        return outcome.err

    return call


@pytest.mark.parametrize("sets", ["lac", "aps", "raps"])
def test_the_examination_has_figures_and_a_page(run, sets):
    result = evaluate(run, coverage=0.9, sets=sets, session=ONE)
    found = result.to_json()["coverage"]
    assert (found["wanted"], found["sets"], found["calibrated_on"]) == (0.9, sets, "calibration")
    assert (found["num_calibration"], found["num_images"]) == (200, 1000)
    assert found["coverage"] > found["promised_band"][0]
    assert sum(found["sizes"]) == 1000
    assert len(found["per_class"]) == 10
    assert "promised" in found["promise"]
    page = Path(found["page"])
    assert page == run / "coverage.html"
    text = page.read_text("utf-8")
    assert text.count("<img") == len(found["largest"]) > 0
    assert found["promise"] in text
    content = json.loads((run / "coverage.json").read_text("utf-8"))
    assert content == {name: value for name, value in found.items() if name != "page"}


def test_predict_lists_the_sets_that_evaluate_measures(run, scans):
    everything = evaluate(run, coverage=0.95, session=ONE).to_json()["coverage"]
    predictions = predict(run, [scans], coverage=0.95, session=ONE)
    sizes = [len(entry.classes) for entry in predictions]
    assert min(sizes) >= 1
    assert all(entry.classes[0] == entry.label for entry in predictions)
    assert predictions.promise == everything["promise"]
    alone = predict(run, [scans / "07.png"], coverage=0.95, session=ONE)
    assert alone[0].classes == predictions[7].classes
    plain = predict(run, [scans], session=ONE)
    assert [entry.label for entry in plain] == [entry.label for entry in predictions]
    assert plain[0].classes is plain.sets is None


def test_the_command_prints_sets_and_what_is_promised(run, scans, tellapart):
    outcome = tellapart("predict", run, scans, "--coverage", "0.95", "--threads", "1")
    assert outcome.code == 0
    assert "95 % of the sets hold the true class" in outcome.out
    content = tellapart("predict", run, scans, "--coverage", "0.95", "--json").json
    assert content["sets"]["num_calibration"] == 200
    assert all(entry["classes"] for entry in content["predictions"])
    outcome = tellapart("evaluate", run, "--coverage", "0.95", "--threads", "1")
    assert "sets for 95 % coverage (LAC)" in outcome.out.replace("\u00a0", " ")


def test_abstaining_leaves_images_unanswered_and_tells_what_that_buys(run, scans, tellapart):
    plain = predict(run, [scans], session=ONE)
    found = predict(run, [scans], abstain_below=0.9, session=ONE)
    for before, after in zip(plain, found, strict=True):
        assert after.unsure == (before.probability < 0.9)
        assert (after.label, after.guess) == (
            (None, before.label) if after.unsure else (before.label, None)
        )
    assert {entry.unsure for entry in found} == {True, False}
    assert found.abstention is not None
    assert found.abstention.num_images == 200
    assert found.abstention.accuracy > found.abstention.num_correct_of_all / 200
    content = tellapart("predict", run, scans, "--abstain-below", "0.9", "--json").json
    assert content["abstention"] == found.abstention.to_json()
    printed = tellapart("predict", run, scans, "--abstain-below", "0.9").out
    assert printed.count("unsure (") == sum(entry.unsure for entry in found)
    assert "of the answers are correct" in printed


def test_a_classifier_file_alone_has_no_sets_and_abstains_all_the_same(
    run, scans, refused, tellapart
):
    file = run / "model.safetensors"
    message = refused("predict", file, scans, "--coverage", "0.9")
    assert "without its run" in message
    assert "give the run's folder" in message
    outcome = tellapart("predict", file, scans, "--abstain-below", "0.9")
    assert outcome.code == 0
    assert "unsure (" in outcome.out
    assert "not known" in outcome.err
    assert (
        "abstention"
        not in tellapart("predict", file, scans, "--abstain-below", "0.9", "--json").json
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--coverage", "1.5"), "between 0 and 1, got 1.5"),
        (("--coverage", "0"), "between 0 and 1, got 0"),
        (("--coverage", "0.999"), "at least 999 images"),
        (("--coverage", "0.99", "--per-class"), "at least 99 images of each"),
        (("--coverage", "0.9", "--tta"), "leave out --tta"),
        (("--sets", "aps"), "give --coverage"),
        (("--per-class",), "give --coverage"),
    ],
)
@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_what_is_refused(run, scans, refused, verb, options, words):
    images = [scans] if verb == "predict" else []
    assert words in refused(verb, run, *images, *options)


def test_evaluate_refuses_what_the_sets_were_not_made_for(run, refused, tmp_path):
    assert "leave out --split" in refused("evaluate", run, "--coverage", "0.9", "--split", "train")
    other = shutil.copytree(run, tmp_path / "other")
    assert "give one run" in refused("evaluate", run, other, "--coverage", "0.9")


def test_a_run_without_such_images_is_told_how_to_get_them(run, scans, refused):
    RunFolder(run).calibration_file.unlink()
    for arguments in (("evaluate", run), ("predict", run, scans)):
        message = refused(*arguments, "--coverage", "0.9")
        assert "data.validation_fraction" in message


def test_one_image_is_too_few(run, scans, refused):
    file = RunFolder(run).calibration_file
    answers = HeldOutAnswers.read(file)
    HeldOutAnswers(answers.origin, answers.logits[:1], answers.labels[:1]).save(file)
    assert "at least 9 images" in refused("predict", run, scans, "--coverage", "0.9")
    assert len(predict(run, [scans], coverage=0.5, session=ONE)) == 30
    file.write_bytes(b"dear")
    assert "damaged" in refused("predict", run, scans, "--coverage", "0.9")


def test_python_has_the_same_names(run):
    result = tellapart.evaluate(run, coverage=0.9, sets="aps", per_class=True, session=ONE)
    assert result.to_json()["coverage"]["for_each_class"] is True
