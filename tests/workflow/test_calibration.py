"""A trained classifier is calibrated on images that it was not trained on, and reports it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tellapart.data.sets.sources import load_data_set
from tellapart.evaluation import predict_logits
from tellapart.evaluation.calibration import fit_temperature
from tellapart.models.checkpoint import load_classifier, load_tensors, save_classifier
from tellapart.runs.calibration import HeldOutAnswers
from tellapart.runs.folder import RunFolder
from tellapart.runs.planning import TrainingRequest, make_plan
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.finetune import finetune
from tellapart.workflow.train import train

CPU = torch.device("cpu")
QUICK = {"training.epochs": 1, "training.batch_size": 50, "model.network": "single-conv"}


def session():
    return Session(threads=1)


@pytest.fixture
def run(trained, tmp_path):
    """A run with 200 images held out of the 4,000 of mnist-sample."""
    return shutil.copytree(trained.run, tmp_path / "run")


def test_the_temperature_is_that_of_images_held_out_of_train(trained):
    opened = open_run(trained.run, session=session())
    classifier, images = opened.classifier, opened.splits["calibration"]
    logits = predict_logits(classifier.with_temperature(None), images.images, device=CPU)
    expected = fit_temperature(logits, images.labels)
    assert classifier.spec.temperature == trained.temperature == pytest.approx(expected, rel=1e-6)
    assert expected < 0.9  # label smoothing leaves it too cautious
    calibrated = predict_logits(classifier, images.images, device=CPU)
    assert torch.allclose(calibrated, logits / expected, rtol=1e-5)
    assert trained.calibrated_on == "calibration"
    answers = HeldOutAnswers.read(RunFolder(trained.run).calibration_file)
    assert answers.origin == "calibration"
    assert torch.allclose(answers.logits, logits, atol=1e-5)
    assert torch.equal(answers.labels, images.labels)


def test_no_image_is_both_trained_on_and_held_out(trained):
    splits = open_run(trained.run, session=session()).splits
    train_images = {image.numpy().tobytes() for image in splits["train"].images}
    held_out = {image.numpy().tobytes() for image in splits["calibration"].images}
    everything = load_data_set("mnist-sample").split("train").images
    assert not train_images & held_out
    assert train_images | held_out == {image.numpy().tobytes() for image in everything}


def test_the_evaluation_compares_with_and_without_it(trained):
    test = trained.test
    assert test.temperature == trained.temperature
    assert test.loss < test.uncalibrated_loss
    assert test.expected_calibration_error < test.uncalibrated_calibration_error
    content = json.loads((trained.run / "evaluation.json").read_text("utf-8"))
    low, high = content["expected_calibration_error_band"]
    assert 0 < low < high < 0.1
    again = evaluate(trained.run, out=Path("again").absolute(), session=session()).evaluation
    assert again == test


def test_training_mode_and_plain_logits_know_no_temperature(trained):
    classifier = load_classifier(trained.run / "model.safetensors")
    images = torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        plain = classifier.plain_logits(images)
        assert torch.equal(classifier(images), plain / classifier.spec.temperature)
        assert torch.equal(classifier.with_temperature(None)(images), plain)
        shifted = classifier.with_views("shifted")
        before = shifted.with_temperature(None)(images)
        assert torch.allclose(shifted(images), before / classifier.spec.temperature)
        classifier.train()
        assert torch.equal(classifier(images), classifier.plain_logits(images))


def test_finishing_again_gives_the_same_file(run):
    file = run / "model.safetensors"
    before = file.read_bytes()
    train(resume=run, session=session())
    assert file.read_bytes() == before
    file.unlink()
    train(resume=run, session=session())
    assert file.read_bytes() == before


def test_a_threshold_keeps_the_temperature_it_was_chosen_with(run):
    file = run / "model.safetensors"
    classifier = load_classifier(file).with_temperature(2.5).with_thresholds({"3": 0.25})
    save_classifier(file, classifier, {})
    train(resume=run, session=session())
    spec = load_classifier(file).spec
    assert (spec.temperature, spec.thresholds) == (2.5, {"3": 0.25})


def test_what_is_fine_tuned_starts_without_the_temperature_of_its_source(trained):
    off = {"data.calibration_fraction": 0, "training.epochs": 1}
    result = finetune(trained.run, "mnist-sample", settings=off, shots=9, session=session())
    assert load_classifier(result.run / "start.safetensors").spec.temperature is None
    assert load_classifier(result.run / "model.safetensors").spec.temperature is None
    assert result.temperature is result.calibrated_on is None
    assert result.test.temperature is None


def test_shots_are_drawn_from_the_rest(tmp_path):
    plan = make_plan(TrainingRequest(settings=QUICK, shots=9), session())
    sizes = {name: len(part) for name, part in plan.splits.items()}
    assert sizes == {"train": 90, "calibration": 200, "test": 1000}


def test_a_validation_split_calibrates_and_nothing_is_held_out_beside_it(tmp_path):
    settings = {**QUICK, "data.validation_fraction": 0.1}
    result = train(settings=settings, shots=20, out="run", session=session())
    assert result.calibrated_on == "validation"
    opened = open_run("run", session=session())
    assert list(opened.splits) == ["train", "validation", "test"]
    validation = opened.splits["validation"]
    logits = predict_logits(opened.classifier.with_temperature(None), validation.images, device=CPU)
    assert result.temperature == pytest.approx(fit_temperature(logits, validation.labels), rel=1e-6)


def test_few_images_stay_uncalibrated_and_every_place_reports_it(make_digits, tellapart):
    folder = make_digits(Path("few"))
    settings = [text for key, value in QUICK.items() for text in ("--set", f"{key}={value}")]
    outcome = tellapart("train", folder, *settings, "--out", "run", "--threads", "1")
    assert outcome.code == 0
    assert outcome.err.count("uncalibrated") >= 2  # why no image is held out, and the plan
    assert "uncalibrated" in outcome.out
    assert "not calibrated" in Path("run/report.html").read_text("utf-8")
    assert load_tensors(Path("run/model.safetensors"))[1]["classifier"]["temperature"] is None
    assert not Path("run/calibration.safetensors").exists()
    content = tellapart("evaluate", "run", "--threads", "1", "--json").json
    assert content["temperature"] is content["uncalibrated_calibration_error"] is None
    assert len(content["expected_calibration_error_band"]) == 2


def test_a_computed_output_layer_is_calibrated_by_its_cross_validation(trained):
    result = finetune(
        trained.run, "mnist-sample", recipe="finetune-quick", shots=12, out="b", session=session()
    )
    assert result.calibrated_on == "cross-validation"
    assert list(open_run("b", session=session()).splits) == ["train", "test"]
    answers = HeldOutAnswers.read(Path("b/calibration.safetensors"))
    assert len(answers.labels) == 120
    assert result.temperature == fit_temperature(answers.logits, answers.labels)
    before = Path("b/model.safetensors").read_bytes()
    Path("b/model.safetensors").unlink()
    train(resume="b", session=session())
    assert Path("b/model.safetensors").read_bytes() == before
