"""Images of another kind: flagged by predict, and compared with by evaluate --outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from tellapart.data.sets.sources import load_data_set
from tellapart.models.checkpoint import load_classifier, read_classifier, save_classifier
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.trust.outside.rule import observe, scorer_of
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.predict import predict
from tellapart.workflow.train import train

CPU = torch.device("cpu")


def session():
    return Session(threads=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One epoch of a network with few features on mnist-sample, with 200 images held out."""
    return train(
        settings={"training.epochs": 1, "model.network": "lenet"},
        out=tmp_path_factory.mktemp("runs") / "lenet",
        session=session(),
    )


@pytest.fixture
def run(trained, tmp_path):
    """A copy that may be changed."""
    return shutil.copytree(trained.run, tmp_path / "run")


@pytest.fixture
def noise(tmp_path):
    """Twelve files of colour noise."""
    folder = tmp_path / "noise"
    folder.mkdir()
    drawn = np.random.default_rng(0)
    for number in range(12):
        pixels = drawn.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def archive(path, images):
    np.savez(path, x_train=images, y_train=np.zeros(len(images), np.int64))
    return path


@pytest.fixture
def stripes(tmp_path):
    """Images in the classifier's form that no digit looks like, all with one label."""
    images = np.zeros((60, 28, 28), np.uint8)
    for number in range(60):
        images[number, :: 2 + number % 3] = 130 + 2 * number
    return archive(tmp_path / "stripes.npz", images)


def test_predict_flags_noise_and_no_digit(run, noise, tellapart):
    digit = load_data_set("mnist-sample").split("test").images[0, 0]
    Image.fromarray(digit.numpy()).save("digit.png")
    for source in (run, run / "model.safetensors"):
        outcome = tellapart("predict", source, "digit.png", noise / "0.png", "--as-is", "--json")
        digit_entry, noise_entry = outcome.json["predictions"]
        assert digit_entry["unlike_training"] is False
        assert noise_entry["unlike_training"] is True
        threshold = load_classifier(run / "model.safetensors").spec.outside.threshold
        for entry in (digit_entry, noise_entry):
            assert entry["outside_threshold"] == threshold
            assert entry["unlike_training"] == (entry["outside_score"] > threshold)
    table = tellapart("predict", run, "digit.png", noise / "0.png", "--as-is").out
    assert table.count("unlike the training images") == 2  # the row and the sentence
    assert "99 % of held-out ones" in table
    assert "unlike" not in tellapart("predict", run, "digit.png").out


def test_other_views_flag_the_same(run, noise):
    plain = predict(run, [noise], as_is=True, session=session())
    nine = predict(run, [noise], as_is=True, tta=True, session=session())
    assert [entry.views for entry in nine] == [9] * 12
    for one, other in zip(plain, nine, strict=True):
        assert one.outside_score == pytest.approx(other.outside_score)


def test_a_file_without_a_rule_flags_nothing_and_predicts_the_same(run, noise, tellapart):
    file = run / "model.safetensors"
    before = predict(run, [noise], session=session())
    classifier, training = read_classifier(file)
    save_classifier(file, classifier.with_outside(None, {}), training)
    after = predict(run, [noise], session=session())
    for one, other in zip(before, after, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-6)
        assert other.unlike_training is None
        assert "unlike_training" not in other.to_json()
    assert "unlike" not in tellapart("predict", run, noise).out
    outcome = tellapart("evaluate", run, "--outside", noise, "--json")
    assert outcome.json["outside"]["threshold"] is None
    assert "flagged" not in outcome.json["outside"]["inside"]
    assert 0.5 < outcome.json["outside"]["auroc"] <= 1


def test_about_one_in_a_hundred_test_images_is_flagged(trained):
    opened = open_run(trained.run, session=session())
    classifier, images = opened.classifier, opened.splits["test"].images
    scores = scorer_of(classifier).score(observe(classifier, images, CPU))
    count = int((scores > classifier.spec.outside.threshold).sum())
    # With the second largest of 200 scores as threshold, the rate of further images follows
    # Beta(2, 199), whose mean is 1 %; the count of 1,000 such images is binomial.
    drawn = np.random.default_rng(0)
    counts = drawn.binomial(len(images), drawn.beta(2, 199, 20_000))
    assert np.quantile(counts, 0.0005) <= count <= np.quantile(counts, 0.9995)


def test_training_reports_its_rule(trained):
    rule = trained.outside
    assert rule.score == "nearest-neighbour"
    assert rule.num_held_out == 200
    assert trained.to_json()["outside"]["threshold"] == rule.threshold


def test_with_few_images_there_is_no_rule_and_that_is_said(make_digits, tellapart):
    folder = make_digits(Path("few"))
    settings = ("epochs=1", "model.network=single-conv")
    sets = [part for text in settings for part in ("--set", text)]
    outcome = tellapart("train", folder, *sets, "--out", "run", "--threads", "1", "--json")
    assert outcome.json["outside"] is None
    assert "will not flag" in outcome.err
    assert "100" in outcome.err
    assert load_classifier(Path("run/model.safetensors")).spec.outside is None


def test_another_threshold_for_a_class_keeps_the_rule(run):
    before = load_classifier(run / "model.safetensors")
    classifier, training = read_classifier(run / "model.safetensors")
    save_classifier(run / "model.safetensors", classifier.with_thresholds({"3": 0.4}), training)
    after = load_classifier(run / "model.safetensors")
    assert after.spec.outside == before.spec.outside
    assert torch.equal(after.references["bank"], before.references["bank"])


def test_evaluate_measures_every_score_and_writes_a_page(run, noise, stripes, tellapart):
    outcome = tellapart("evaluate", run, "--outside", noise, "--outside", stripes, "--json")
    found = outcome.json["outside"]
    assert [(part["data"], part["num_images"]) for part in found["sources"]] == [
        ("noise", 12),
        ("stripes", 60),
    ]
    assert [entry["is_default"] for entry in found["scores"]].count(True) == 1
    assert {"nearest-neighbour", "energy", "max-softmax"} <= {e["score"] for e in found["scores"]}
    for entry in (found, *found["sources"], *found["scores"]):
        for name in ("auroc", "fpr_at_95_recall"):
            low, high = entry[f"{name}_interval"]
            assert 0 <= low <= entry[name] <= high <= 1
    page = Path(found["page"])
    assert page == run / "outside.html"
    assert json.loads((run / "outside.json").read_text("utf-8"))["auroc"] == found["auroc"]
    shown = found["sources"][0]["most_inside_looking"]
    assert len(shown) == 12
    assert [entry["score"] for entry in shown] == sorted(entry["score"] for entry in shown)
    assert {Path(entry["path"]).parent for entry in shown} == {noise}
    assert page.read_text("utf-8").count("<img") == 12 + 24
    table = tellapart("evaluate", run, "--outside", noise).out
    assert "nearest-neighbour (default)" in table
    assert str(page) in table


def test_auroc_is_that_of_scikit_learn(run, stripes):
    result = evaluate(run, outside=stripes, session=session())
    [examination] = result.examinations
    opened = open_run(run, session=session())
    classifier = opened.classifier
    outside = torch.from_numpy(np.load(stripes)["x_train"])[:, None]
    scores = [
        scorer_of(classifier).score(observe(classifier, images, CPU))
        for images in (opened.splits["test"].images, outside)
    ]
    labels = np.repeat([0, 1], [len(part) for part in scores])
    expected = roc_auc_score(labels, torch.cat(scores).numpy())
    assert examination.figures.to_json()["auroc"] == pytest.approx(expected)


def test_the_runs_own_images_are_not_outside(run):
    result = evaluate(run, outside="mnist-sample", session=session())
    [examination] = result.examinations
    figures = examination.figures.to_json()
    assert figures["auroc"] == pytest.approx(0.5)
    assert figures["fpr_at_95_recall"] == pytest.approx(0.95, abs=0.01)


def test_arrays_of_another_shape_are_refused(run, tmp_path, refused):
    colour = archive(tmp_path / "colour.npz", np.zeros((5, 28, 28, 3), np.uint8))
    message = refused("evaluate", run, "--outside", colour)
    assert "(3, 28, 28)" in message
    assert "(1, 28, 28)" in message
    assert "image files" in message
    assert not (run / "outside.html").exists()


@pytest.mark.parametrize(
    ("source", "remedy"),
    [("nothing/here", "check the path"), ("fashion-mnst", "fashion-mnist"), ("*.gif", "pattern")],
)
def test_outside_images_that_are_not_there_are_refused(run, refused, source, remedy):
    assert remedy in refused("evaluate", run, "--outside", source)


def test_files_that_cannot_be_read_are_counted_and_left_out(run, noise, tellapart):
    (noise / "broken.png").write_bytes(b"no image")
    outcome = tellapart("evaluate", run, "--outside", noise, "--json")
    assert outcome.json["outside"]["sources"][0]["num_images"] == 12
    assert "1 file" in outcome.err
    assert "broken.png" in outcome.err


def test_a_folder_of_unreadable_files_is_refused(run, tmp_path, refused):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "one.png").write_bytes(b"no image")
    assert "can be read" in refused("evaluate", run, "--outside", tmp_path / "bad")


def test_it_takes_one_run_with_its_folder(run, noise, tmp_path, refused, tellapart):
    other = shutil.copytree(run, tmp_path / "other")
    assert "one run" in refused("evaluate", run, other, "--outside", noise)
    file = shutil.copy(run / "model.safetensors", tmp_path / "bare.safetensors")
    outcome = tellapart("evaluate", file, "mnist-sample", "--outside", noise)
    assert outcome.code == 2
    assert "give the run's folder" in outcome.err
