"""Every verb: what it prints, what it prints with --json, and what it leaves behind."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from tellapart.data.sets.sources import load_data_set
from tellapart.models.checkpoint import load_classifier, save_classifier
from tellapart.runs.folder import RunFolder

QUICK = ("--set", "epochs=1", "--set", "model.network=single-conv", "--threads", "1")


def test_train_prints_the_figures_and_where_the_run_is(tellapart):
    outcome = tellapart("train", *QUICK)
    assert outcome.code == 0
    run = RunFolder(Path("runs/mnist-sample-small-data-1"))
    content = json.loads(run.evaluation_file.read_text("utf-8"))
    lines = outcome.out.splitlines()
    assert lines[0].startswith("mnist-sample, test split")
    assert f"accuracy  {100 * content['accuracy']:.2f} % (95 % interval " in outcome.out
    assert f"report    {run.report_file}" in lines
    assert re.fullmatch(r"trained   1 epoch in \d+\.\d s", lines[-2])
    assert lines[-1] == f"run       {run.path}"
    progress = outcome.err.splitlines()
    assert progress[0] == "data      mnist-sample: train 3,800 · calibration 200 · test 1,000"
    assert "          10 classes, 380 each; 28x28 grey" in progress
    assert "recipe    small-data (chosen: 4,000 training images are few: " in outcome.err
    assert "          1 epoch, batches of 64, adamw at 0.004, one-cycle" in outcome.err
    assert "network   single-conv, 13,610 parameters" in progress
    assert re.fullmatch(r"epoch 1/1  loss \d\.\d{4}  train \d+\.\d\d %  \d+\.\d s", progress[-1])


def test_train_json_is_one_object_with_all_that_a_script_needs(tellapart):
    outcome = tellapart("train", *QUICK, "--seed", "3", "--out", "here", "--json")
    content = outcome.json
    assert outcome.code == 0
    assert content["run"] == "here"
    assert (content["data"], content["recipe"]) == ("mnist-sample", "small-data")
    assert (content["seed"], content["num_epochs"]) == (3, 1)
    assert content["num_parameters"] == 13610
    assert 0 < content["train_seconds"] < content["total_seconds"]
    assert content["validation_accuracy"] is None
    low, high = content["test_accuracy_interval"]
    assert 0.8 < low < content["test_accuracy"] < high < 1
    assert content["device"] in ("cpu", "cuda", "mps")
    assert content["precision"] in ("fp32", "bf16")
    assert len(content["weights_sha256"]) == 64
    evaluation = json.loads(Path("here/evaluation.json").read_text("utf-8"))
    assert content["test_loss"] == evaluation["loss"]


def test_the_seed_decides_the_weights(tellapart, digits):
    def weights(*arguments):
        return tellapart("train", digits, *QUICK, *arguments, "--json").json["weights_sha256"]

    assert weights() == weights("--seed", "0") != weights("--seed", "1")
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        f"digits-small-data-{number}" for number in (1, 2, 3)
    ]


def test_train_with_validation_reports_it(tellapart, digits):
    outcome = tellapart("train", digits, *QUICK, "--set", "validation_fraction=0.25", "--json")
    assert 0 <= outcome.json["validation_accuracy"] <= 1
    assert re.search(r"validation loss \d\.\d{4}  validation \d+\.\d\d %", outcome.err)


def test_train_without_a_test_split(tellapart, digits):
    folder = Path(shutil.copytree(digits, "no-test"))
    for file in folder.glob("t10k-*"):
        file.unlink()
    quick = (*QUICK, "--set", "data.test_fraction=0")
    outcome = tellapart("train", folder, *quick)
    assert outcome.code == 0
    assert outcome.out.startswith("no-test has no test split, so there is no test accuracy\n")
    content = tellapart("train", folder, *quick, "--json").json
    assert content["test_accuracy"] is content["test_accuracy_interval"] is None


def test_dry_run_reports_what_would_be_done_and_writes_nothing(tellapart):
    outcome = tellapart("train", "--dry-run", "--recipe", "tutorial-lenet")
    assert outcome.code == 0
    assert outcome.err == ""
    assert "recipe    tutorial-lenet\n" in outcome.out
    assert "network   lenet, 61,706 parameters" in outcome.out
    content = tellapart("train", "--dry-run", "--set", "validation_fraction=0.1", "--json").json
    assert content["recipe"] == "small-data"
    assert content["num_images"] == {"train": 3600, "validation": 400, "test": 1000}
    assert content["image_shape"] == [1, 28, 28]
    assert not any(Path().iterdir())


@pytest.mark.parametrize("setting", ["flip_vertical=0.1", "prediction.views=mirrored"])
def test_dry_run_warns_as_training_does(tellapart, setting):
    outcome = tellapart("train", "--dry-run", "--set", setting, "--json")
    assert outcome.err.startswith("warning: the recipe mirrors ")
    assert outcome.json["recipe"] == "small-data"


def test_dry_run_refuses_what_train_refuses(refused):
    message = refused("train", "--dry-run", "--set", "batch_size=4001")
    assert message.startswith("batch_size 4001 is larger than the train split (3800 images)")


def test_dry_run_of_a_resume(tellapart, trained):
    before = {path: path.read_bytes() for path in trained.iterdir()}
    outcome = tellapart("train", "--resume", trained, "--dry-run", "--json")
    assert outcome.json["network"] == "single-conv"
    assert {path: path.read_bytes() for path in trained.iterdir()} == before


def test_resume_of_a_finished_run_gives_the_same_again(tellapart, digits):
    first = tellapart("train", digits, *QUICK, "--out", "run", "--json").json
    outcome = tellapart("train", "--resume", "run", "--threads", "1", "--json")
    again = outcome.json
    assert "after epoch 1 of 1" in outcome.err
    assert {**again, "total_seconds": 0} == {**first, "total_seconds": 0}


def test_evaluate(tellapart, trained, tmp_path, monkeypatch):
    run = shutil.copytree(trained, tmp_path / "run")
    expected = json.loads((run / "evaluation.json").read_text("utf-8"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outcome = tellapart("evaluate", "../run", "--threads", "1", "--json")
    assert outcome.code == 0
    assert outcome.err == ""
    content = outcome.json
    assert content["accuracy_interval"][0] < content["accuracy"] < content["accuracy_interval"][1]
    assert {"loss", "macro_f1", "macro_auc", "expected_calibration_error"} < content.keys()
    assert len(content["confusion_matrix"]) == len(content["per_class"]) == 10
    assert {name: content[name] for name in expected} == expected
    assert content["report"] == "../run/report.html"
    printed = tellapart("evaluate", "../run", "--threads", "1")
    assert printed.out.startswith("mnist-sample, test split")
    assert printed.out.endswith("report    ../run/report.html\n")
    assert not any(Path().iterdir())


def test_evaluate_on_other_data(tellapart, trained, digits, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    before = (run / "evaluation.json").read_bytes()
    outcome = tellapart("evaluate", run, digits, "--split", "train", "--threads", "1", "--json")
    assert outcome.code == 0
    digest = load_data_set(digits).fingerprint[:8]
    assert outcome.json["report"] == str(run / f"evaluations/digits-{digest}-train/report.html")
    [warning] = outcome.err.splitlines()
    assert warning.startswith("warning: 378 of these 400 images are in the train split")
    assert "the classifier has seen them" in warning
    assert (run / "evaluation.json").read_bytes() == before


def test_evaluate_an_ensemble_on_nine_views(tellapart, trained, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(trained, name)
    arguments = ("evaluate", "a", "b", "--tta", "--threads", "1")
    outcome = tellapart(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    title = "mnist-sample, test split, ensemble of 2 runs, nine views of each image"
    assert outcome.out.startswith(title)
    found = (
        r"report    (a/evaluations/mnist-sample-test-nine-views-ensemble-of-2-\w{8}/report\.html)"
    )
    report = Path(re.search(found, outcome.out)[1])
    assert report.is_file()
    content = tellapart(*arguments, "--json").json
    assert (content["run"], content["runs"], content["views"]) == ("a", ["a", "b"], [9, 9])
    assert content["report"] == str(report)
    plain = tellapart("evaluate", "a", "--out", "page", "--threads", "1", "--json").json
    assert (plain["runs"], plain["views"], plain["report"]) == (["a"], [1], "page/report.html")


def test_evaluate_an_ensemble_on_other_data(tellapart, trained, digits):
    run = shutil.copytree(trained, "a")
    outcome = tellapart("evaluate", run, trained, digits, "--threads", "1", "--json")
    assert outcome.json["data"] == "digits"
    assert outcome.json["runs"] == ["a", str(trained)]
    assert outcome.json["num_images"] == 100


def test_evaluate_refuses_what_is_no_ensemble(refused, trained):
    message = refused("evaluate", trained, "mnist", trained)
    assert message.startswith("mnist is not a run, and only the last argument may be data; a run")
    message = refused("evaluate", trained, "--out", trained)
    assert message.startswith(
        f"{trained} holds calibration.safetensors and is left as it is: an eval"
    )


@pytest.fixture
def pictures():
    images = load_data_set("mnist-sample").split("test").images
    Path("scans").mkdir()
    for index in (0, 500):
        Image.fromarray(images[index, 0].numpy()).save(f"scans/{index}.png")


def test_predict(tellapart, trained, pictures):
    outcome = tellapart("predict", trained, "scans", "--threads", "1")
    assert outcome.code == 0
    assert outcome.err == ""
    header, *rows = outcome.out.splitlines()
    assert header.split() == ["class", "probability", "runner-up", "probability", "file"]
    assert [row.split()[-1] for row in rows] == ["scans/0.png", "scans/500.png"]
    content = tellapart("predict", trained, "scans/*.png", "--threads", "1", "--json").json
    assert content["run"] == str(trained)
    for row, entry in zip(rows, content["predictions"], strict=True):
        assert row.split()[0] == entry["label"]
        assert f"{100 * entry['probability']:.2f} %" in row
        assert (entry["error"], entry["views"]) == (None, 1)


def test_predict_on_nine_views(tellapart, trained, pictures):
    outcome = tellapart("predict", trained, "scans", "--tta", "--threads", "1", "--json")
    plain = tellapart("predict", trained, "scans", "--threads", "1", "--json").json
    assert outcome.code == 0
    for ours, theirs in zip(outcome.json["predictions"], plain["predictions"], strict=True):
        assert (ours["label"], ours["views"]) == (theirs["label"], 9)
        assert ours["probability"] != theirs["probability"]


@pytest.mark.parametrize(("flags", "views"), [((), 2), (("--tta",), 18), (("--no-tta",), 1)])
def test_the_views_of_a_classifier_file_and_what_the_flags_make_of_them(
    tellapart, trained, pictures, flags, views
):
    classifier = load_classifier(trained / "model.safetensors")
    classifier = classifier.with_views("mirrored")
    save_classifier(Path("mirrored.safetensors"), classifier, {})
    Path("scans/dear.png").write_text("dear", "utf-8")
    outcome = tellapart("predict", "mirrored.safetensors", "scans", *flags, "--json")
    assert [entry["views"] for entry in outcome.json["predictions"]] == [views, views, None]
    image = load_data_set("mnist-sample").split("test").images[:1]
    with torch.inference_mode():
        sides = (image, image.flip(3)) if views == 2 else (image,)
        mean = sum(classifier.plain_logits(side).softmax(1) for side in sides) / len(sides)
    mean = (mean.log() / classifier.spec.temperature).softmax(1)
    if views < 18:
        printed = outcome.json["predictions"][0]["probability"]
        assert printed == pytest.approx(float(mean.max()), abs=1e-5)


def test_predict_with_a_classifier_file(tellapart, trained, pictures):
    by_run = tellapart("predict", trained, "scans", "--json").json
    by_file = tellapart("predict", trained / "model.safetensors", "scans", "--json").json
    assert by_file["predictions"] == by_run["predictions"]


def test_predict_answers_the_readable_and_names_the_others(tellapart, trained, pictures):
    Path("scans/100.png").write_text("dear", "utf-8")
    outcome = tellapart("predict", trained, "scans")
    assert outcome.code == 2
    assert len(outcome.out.splitlines()) == 3
    assert outcome.err.startswith("tellapart: scans/100.png: not an image in a format that is")
    assert outcome.err.endswith("1 of 3 files could not be read\n")
    outcome = tellapart("predict", trained, "scans", "--json")
    assert outcome.code == 2
    assert [bool(entry["error"]) for entry in outcome.json["predictions"]] == [False, True, False]


def test_a_long_path_is_printed_whole(tellapart, trained, pictures):
    path = Path("/".join(["a rather long name of a folder [with brackets]"] * 4)) / "0.png"
    path.parent.mkdir(parents=True)
    shutil.copy("scans/0.png", path)
    assert str(path) in tellapart("predict", trained, path).out


def test_reproduce(tellapart):
    common = ("reproduce", "tutorial-lenet", "--data", "mnist-sample", "--set", "epochs=1")
    outcome = tellapart(*common, "--threads", "1", "--json")
    assert outcome.code == 0
    [row] = outcome.json["results"]
    assert row["recipe"] == "tutorial-lenet"
    assert row["run"] == "runs/mnist-sample-tutorial-lenet-1"
    assert {"claim", "reference_accuracy", "test_accuracy_interval"} < row.keys()
    printed = tellapart(*common, "--threads", "1", "--out", "all")
    assert printed.code == 0
    assert Path("all/tutorial-lenet/report.html").exists()
    accuracy = f"{100 * row['test_accuracy']:.2f} %"
    assert re.search(rf"^tutorial-lenet +none .*{accuracy} \(", printed.out, re.MULTILINE)


def test_train_with_costs_finds_more_of_the_class_that_costs(tellapart, digits):
    quick = ("--set", "epochs=2", "--set", "batch_size=50", "--threads", "1", "--json")
    plain = tellapart("train", digits, *quick, "--out", "plain").json
    one = tellapart("train", digits, *quick, "--set", "class_costs=9:1,4:1", "--out", "one").json
    assert one["test_accuracy"] == pytest.approx(plain["test_accuracy"], abs=0.02)
    dear = tellapart("train", digits, *quick, "--set", "class_costs=9:50", "--out", "dear").json
    assert dear["weights_sha256"] != plain["weights_sha256"]
    assert "class_costs = { 9 = 50.0 }" in Path("dear/recipe.toml").read_text("utf-8")
    found = {
        run: tellapart("evaluate", run, "--threads", "1", "--json").json["per_class"][9]["recall"]
        for run in ("plain", "dear")
    }
    assert found["dear"] > found["plain"]


def test_a_cost_of_an_unknown_class_is_refused_before_anything_is_made(refused, digits):
    message = refused("train", digits, "--set", "class_costs=nine:5", "--out", "run")
    assert "training.class_costs: no class is called 'nine'; known: 0, 1, 2, 3, 4" in message
    assert not Path("run").exists()
    message = refused("train", digits, "--set", "class_costs=9:-5", "--out", "run")
    assert "class_costs.9 must be greater than 0, got -5.0" in message
