"""`evaluate --recall`: a threshold is chosen on validation, stored, used and removed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from tellapart.data.sets.sources import load_data_set
from tellapart.errors import RunError
from tellapart.evaluation import evaluate_logits, predict_logits
from tellapart.models.checkpoint import load_classifier, load_tensors, weights_sha256
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.workflow import recall as choosing
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.predict import predict
from tellapart.workflow.train import train

SETTINGS = ("epochs=1", "batch_size=50", "model.network=single-conv", "validation_fraction=0.25")
CPU = torch.device("cpu")


def session():
    return Session(threads=1)


@pytest.fixture(scope="module")
def trained_with_validation(tmp_path_factory):
    """An epoch on mnist-sample, of which 100 nines are held out."""
    out = tmp_path_factory.mktemp("runs") / "nines"
    return train(settings=SETTINGS, out=out, session=session()).run


@pytest.fixture
def run(trained_with_validation, tmp_path):
    return shutil.copytree(trained_with_validation, tmp_path / "run")


def weights(run):
    return weights_sha256(load_tensors(run / "model.safetensors")[0])


def recall_of(evaluation, name="9"):
    return next(row.recall for row in evaluation.per_class if row.name == name)


def test_the_threshold_is_the_highest_that_finds_enough_on_validation(run):
    before = weights(run)
    result = evaluate(run, recall={"9": 0.95}, session=session())
    chosen = result.chosen_threshold
    opened = open_run(run, session=session())
    assert opened.classifier.spec.thresholds == {"9": chosen.probability}
    validation = opened.splits["validation"]
    logits = predict_logits(opened.classifier, validation.images, device=CPU)
    nines = logits.double().softmax(1)[validation.labels == 9, 9].sort(descending=True).values
    assert chosen.num_images == len(nines) == 100
    assert chosen.probability == pytest.approx(float(nines[94]), rel=3e-5)
    assert weights(run) == before
    on_validation = evaluate(run, split="validation", session=session()).evaluation
    assert recall_of(on_validation) == chosen.recall == 0.95


def test_the_test_split_is_measured_with_and_without_it(run):
    plain = evaluate(run, session=session())
    assert (plain.without_threshold, plain.chosen_threshold) == (None, None)
    result = evaluate(run, recall={"9": 0.99}, session=session())
    assert result.without_threshold == plain.evaluation
    thresholds = result.evaluation.thresholds
    assert recall_of(result.evaluation) > recall_of(plain.evaluation)
    opened = open_run(run, session=session())
    test = opened.splits["test"]
    logits = predict_logits(opened.classifier, test.images, device=CPU)
    temperature = opened.classifier.spec.temperature
    assert temperature is not None
    assert result.evaluation == evaluate_logits(
        logits, test.labels, test.class_names, thresholds, temperature
    )
    for name in ("loss", "macro_auc", "expected_calibration_error", "reliability_bins"):
        assert getattr(result.evaluation, name) == getattr(plain.evaluation, name)
    assert json.loads((run / "evaluation.json").read_text("utf-8")) == result.evaluation.to_json()
    header = load_tensors(run / "model.safetensors")[1]["training"]["test"]
    assert header["accuracy"] == result.evaluation.accuracy
    page = (run / "report.html").read_text("utf-8")
    assert f"is predicted from a probability of {thresholds['9']:.4f} on" in page


def test_it_is_used_from_then_on_and_removed_again(run):
    files = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    chosen = evaluate(run, recall={"9": 0.95}, session=session())
    again = evaluate(run, session=session())
    assert again.evaluation == chosen.evaluation
    assert again.without_threshold == chosen.without_threshold
    removed = evaluate(run, recall="none", session=session())
    assert removed.evaluation == chosen.without_threshold
    assert removed.without_threshold is None
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert {name for name in files if files[name] != after[name]} <= {"report.html"}


def test_predictions_follow_it_and_probabilities_stay(run):
    test = load_data_set("mnist-sample").split("test")
    Path("scans").mkdir()
    for index in range(0, 1000, 5):
        Image.fromarray(test.images[index, 0].numpy()).save(f"scans/{index:03}.png")
    plain = predict(run, ["scans"], session=session())
    assert all("threshold" not in entry.to_json() for entry in plain)
    evaluate(run, recall={"9": 0.99}, session=session())
    threshold = load_classifier(run / "model.safetensors").spec.thresholds["9"]
    changed = 0
    for before, entry in zip(plain, predict(run, ["scans"], session=session()), strict=True):
        if entry.label == before.label:
            assert entry == before
            continue
        changed += 1
        assert (entry.label, entry.runner_up) == ("9", before.label)
        assert entry.to_json()["threshold"] == entry.threshold == threshold
        assert threshold <= entry.probability < entry.runner_up_probability
        assert entry.runner_up_probability == before.probability
    assert changed > 0


def test_other_views_than_it_was_chosen_on_are_warned_of(run, recorded):
    evaluate(run, recall={"9": 0.95}, session=session())
    evaluate(run, tta=True, session=recorded.session)
    Image.new("L", (28, 28)).save("black.png")
    predict(run, ["black.png"], tta=True, session=recorded.session)
    assert ["leave out --tta" in text for text in recorded.warnings] == [True, True]


def test_few_validation_images_are_warned_of(digits, recorded):
    train(digits, settings=SETTINGS, out="few", session=session())
    evaluate("few", recall={"9": 0.8}, session=recorded.session)
    assert [text.startswith("only 10 validation images of '9'") for text in recorded.warnings]
    assert "95 % interval 49.0 % to 94.3 %" in recorded.warnings[0]


def test_a_file_that_cannot_be_written_keeps_the_old_one(run, monkeypatch):
    def fail(*_):
        raise RunError("the disk is full")

    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    monkeypatch.setattr("tellapart.models.checkpoint.write_whole", fail)
    with pytest.raises(RunError, match="the disk is full"):
        evaluate(run, recall={"9": 0.95}, session=session())
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_an_ensemble_refuses_a_run_with_a_threshold(run, trained_with_validation):
    evaluate(run, recall={"9": 0.95}, session=session())
    with pytest.raises(RunError, match=f"evaluate {run} --recall none"):
        evaluate([trained_with_validation, run], session=session())


def test_a_finished_run_that_is_resumed_keeps_it(run):
    chosen = evaluate(run, recall={"9": 0.95}, session=session())
    assert train(resume=run, session=session()).test == chosen.evaluation
    assert (
        load_classifier(run / "model.safetensors").spec.thresholds == chosen.evaluation.thresholds
    )


REFUSALS = {
    "RUN --recall 8=0.9 --recall 9=0.9": "--recall takes one class, got 8=0.9, 9=0.9",
    "RUN --recall nine=0.9": "no class is called 'nine'",
    "RUN --recall 9=1": "between 0 and 1, got 9=1",
    "RUN --recall 9=0": "between 0 and 1, got 9=0",
    "RUN --recall 9=95": "between 0 and 1, got 9=95",
    "RUN --recall 9=nan": "between 0 and 1, got 9=nan",
    "RUN --recall 9=high": "takes CLASS=FRACTION or none, got '9=high'; e.g. ",
    "RUN --recall 9": "takes CLASS=FRACTION or none, got '9'; e.g. ",
    "RUN --recall 9=0.9 --split train": "got --split train; leave it out",
    "RUN --recall none --split validation": "got --split validation; leave it out",
    "RUN --recall 9=0.9 --tta": "got --tta; leave it out",
    "RUN --recall 9=0.9 --out page": "got --out page; leave it out",
    "RUN mnist-sample --recall 9=0.9": "got data mnist-sample; leave it out",
    "RUN RUN --recall 9=0.9": "got 2 runs; give one run",
    "RUN/model.safetensors --recall 9=0.9": "is a classifier file without its run",
    "PLAIN --recall 9=0.9": "train it with --set data.validation_fraction=0.15",
}


@pytest.mark.parametrize("command", REFUSALS)
def test_a_wrong_request_is_refused_and_changes_nothing(
    refused, trained_with_validation, trained, command
):
    own, plain = str(trained_with_validation), str(trained.run)
    before = (trained_with_validation / "model.safetensors").read_bytes()
    words = [word.replace("RUN", own).replace("PLAIN", plain) for word in command.split()]
    assert REFUSALS[command] in refused("evaluate", *words, "--threads", 1)
    assert (trained_with_validation / "model.safetensors").read_bytes() == before


def test_what_is_typed_is_read_from_the_right():
    assert choosing.recall_from_texts([]) is None
    assert choosing.recall_from_texts(["none"]) == "none"
    assert choosing.recall_from_texts(["a=b=0.5"]) == {"a=b": 0.5}


def test_the_command_prints_both_columns_and_where_it_comes_from(tellapart, run):
    outcome = tellapart("evaluate", run, "--recall", "9=0.95", "--threads", 1)
    assert outcome.code == 0
    content = tellapart("evaluate", run, "--recall", "9=0.95", "--threads", 1, "--json").json
    chosen, before = content["chosen_threshold"], content["without_threshold"]
    assert content["thresholds"] == {"9": chosen["probability"]}
    assert chosen["validation"]["num_images"] == 100
    for figures in (content, before):
        others = sum(row[9] for row in figures["confusion_matrix"][:9])
        assert f" {others} of 900" in outcome.out
        assert f" {100 * others / 900:.1f} % (" in outcome.out
        assert f" {100 * figures['balanced_accuracy']:.1f} % (" in outcome.out
        assert f" {100 * figures['per_class'][9]['recall']:.1f} % (" in outcome.out
    assert f"threshold {chosen['probability']:.4f} for '9'" in outcome.out
    assert "100 validation images of the class, of which it finds 95.0 % (95 % int" in outcome.out
    later = tellapart("evaluate", run, "--threads", 1).out
    assert "balanced accuracy" in later
    assert "chosen on" not in later
    gone = tellapart("evaluate", run, "--recall", "none", "--threads", 1)
    assert "the threshold of '9' is removed" in gone.err
    assert "threshold" not in gone.out


def test_predict_marks_what_the_threshold_decided(tellapart, run):
    test = load_data_set("mnist-sample").split("test")
    Path("scans").mkdir()
    for index in range(0, 1000, 20):
        Image.fromarray(test.images[index, 0].numpy()).save(f"scans/{index:03}.png")
    plain = tellapart("predict", run, "scans", "--threads", 1).out
    assert "decided by" not in plain
    evaluate(run, recall={"9": 0.99}, session=session())
    content = tellapart("predict", run, "scans", "--threads", 1, "--json").json["predictions"]
    decided = [entry for entry in content if "threshold" in entry]
    assert 0 < len(decided) < len(content)
    printed = tellapart("predict", run, "scans", "--threads", 1).out
    assert "decided by" in printed.splitlines()[0]
    assert printed.count(f"threshold {decided[0]['threshold']:.4f}") == len(decided)
