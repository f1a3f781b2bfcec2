"""`evaluate`: the run's own figures again, other data beside them, and doubts as warnings."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tellapart.data.sets.idx import write_idx
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import DataError, DivergedError, RunError, TellapartError
from tellapart.models.checkpoint import load_classifier, load_tensors, save_tensors
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.train import train

QUICK = ("epochs=1", "batch_size=50", "model.network=single-conv")


class Doubts(Callbacks):
    def __init__(self):
        self.printed = []

    def warn(self, text):
        self.printed.append(text)


@pytest.fixture
def run(trained, tmp_path):
    """The run on mnist-sample, a copy that may be spoiled."""
    return RunFolder(shutil.copytree(trained.run, tmp_path / "run"))


def test_its_own_test_split_gives_what_training_gave(trained, run):
    before = run.evaluation_file.read_bytes()
    run.evaluation_file.unlink()
    run.report_file.unlink()
    doubts = Doubts()
    result = evaluate(run.path, session=Session(threads=1, callbacks=doubts))
    assert result.evaluation == trained.test
    assert run.evaluation_file.read_bytes() == before
    assert result.report == run.report_file
    assert run.report_file.exists()
    assert not (run.path / "evaluations").exists()
    assert doubts.printed == []
    named = evaluate(run.path, "mnist-sample", session=Session(threads=1))
    assert named.evaluation == trained.test
    assert not (run.path / "evaluations").exists()


def test_from_another_working_directory(digits, tmp_path, monkeypatch):
    shutil.copytree(digits, "data")
    result = train("data", settings=QUICK, out="run", session=Session(threads=1))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert evaluate("../run", session=Session(threads=1)).evaluation == result.test
    assert evaluate("../run", "../data", session=Session(threads=1)).evaluation == result.test
    assert not Path("../run/evaluations").exists()


def test_the_figures_agree_with_one_another(run):
    content = evaluate(run.path, session=Session(threads=1)).to_json()
    matrix = np.array(content["confusion_matrix"])
    assert matrix.shape == (10, 10)
    assert matrix.sum() == content["num_images"] == 1000
    assert matrix.trace() / 1000 == content["accuracy"]
    low, high = content["accuracy_interval"]
    assert low < content["accuracy"] < high
    assert [row["support"] for row in content["per_class"]] == matrix.sum(1).tolist()
    f1 = [row["f1"] for row in content["per_class"]]
    assert content["macro_f1"] == pytest.approx(np.mean(f1))
    assert 0.9 < content["macro_auc"] < 1
    assert 0 < content["expected_calibration_error"] < 0.5
    assert content["loss"] > 0
    assert json.dumps(content, allow_nan=False)


def test_its_train_split_lies_below_evaluations(trained, run):
    before = run.evaluation_file.read_bytes(), run.report_file.read_bytes()
    result = evaluate(run.path, split="train", session=Session(threads=1))
    assert result.evaluation.num_images == 3800
    folder = run.path / "evaluations" / "mnist-sample-train"
    assert result.report == folder / "report.html"
    assert json.loads((folder / "evaluation.json").read_text("utf-8"))["num_images"] == 3800
    assert (run.evaluation_file.read_bytes(), run.report_file.read_bytes()) == before


def test_validation_is_the_part_that_training_kept_out(digits):
    settings = [*QUICK, "validation_fraction=0.25", "precision=fp32"]
    result = train(digits, settings=settings, out="run", session=Session(threads=1))
    validation = evaluate("run", split="validation", session=Session(threads=1))
    assert validation.evaluation.accuracy == pytest.approx(result.validation_accuracy)
    kept = evaluate("run", split="train", session=Session(threads=1))
    assert kept.evaluation.num_images + validation.evaluation.num_images == 400


def test_other_data_is_evaluated_whole(digits, make_digits, tmp_path):
    """Its train split is not cut as the run cut its own."""
    train(
        digits, settings=[*QUICK, "validation_fraction=0.25"], out="run", session=Session(threads=1)
    )
    other = make_digits(tmp_path / "other", first=3)
    assert (
        evaluate("run", other, split="train", session=Session(threads=1)).evaluation.num_images
        == 400
    )
    with pytest.raises(DataError, match="'other' has no 'validation' split; it has: train, test"):
        evaluate("run", other, split="validation", session=Session(threads=1))


def test_no_validation_part_was_cut(run):
    with pytest.raises(DataError, match="has no 'validation' split; it has: train, test"):
        evaluate(run.path, split="validation")


def test_other_data_lies_below_evaluations(run, make_digits, tmp_path):
    before = run.evaluation_file.read_bytes()
    doubts = Doubts()
    other = make_digits(tmp_path / "other")
    result = evaluate(run.path, other, session=Session(threads=1, callbacks=doubts))
    assert (result.data, result.split) == ("other", "test")
    folder = run.path / "evaluations" / f"other-{load_data_set(other).fingerprint[:8]}-test"
    assert {path.name for path in folder.iterdir()} == {"evaluation.json", "report.html"}
    assert run.evaluation_file.read_bytes() == before
    assert doubts.printed == []


def test_images_that_were_trained_on_are_counted_in_a_warning(run, make_digits, tmp_path):
    other = make_digits(tmp_path / "other", test_of="train")
    doubts = Doubts()
    evaluate(run.path, other, session=Session(threads=1, callbacks=doubts))
    [warning] = doubts.printed
    assert warning.startswith("94 of these 100 images are in the train split of mnist-sample")
    assert "the classifier has seen them" in warning


def test_other_data_where_the_runs_own_is_gone(make_digits, tmp_path):
    train(make_digits(tmp_path / "own"), settings=QUICK, out="run", session=Session(threads=1))
    shutil.rmtree("own")
    doubts = Doubts()
    other = make_digits(tmp_path / "other", first=3)
    evaluate("run", other, session=Session(threads=1, callbacks=doubts))
    [doubt] = doubts.printed
    assert "(own) is not found" in doubt
    with pytest.raises(RunError, match=r"is gone: there is no .*own; if it was moved"):
        evaluate("run")


def test_data_that_was_moved_is_still_the_runs_own(make_digits, tmp_path):
    session = Session(threads=1)
    result = train(make_digits(tmp_path / "old"), settings=QUICK, out="run", session=session)
    shutil.move("old", "new")
    moved = evaluate("run", "new", session=session)
    assert moved.evaluation == result.test
    assert moved.report == Path("run/report.html")
    assert train("new", resume="run", session=session).weights_sha256 == result.weights_sha256
    with pytest.raises(RunError, match=r"is gone: there is no .*old"):
        evaluate("run", session=session)


def test_data_that_changed_since(make_digits, tmp_path):
    folder = make_digits(tmp_path / "own")
    train(folder, settings=QUICK, out="run", session=Session(threads=1))
    before = Path("run/evaluation.json").read_bytes()
    make_digits(folder, first=1)
    with pytest.raises(RunError, match="has changed since it was trained"):
        evaluate("run")
    assert Path("run/evaluation.json").read_bytes() == before


def write_folder(folder: Path, num_classes: int, shape: tuple[int, int]) -> Path:
    folder.mkdir()
    labels = np.arange(24, dtype=np.uint8) % num_classes
    for prefix in ("train", "t10k"):
        write_idx(folder / f"{prefix}-images-idx3-ubyte", np.zeros((24, *shape), dtype=np.uint8))
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return folder


@pytest.mark.parametrize(
    ("num_classes", "shape", "message"),
    [
        (12, (28, 28), r"other has images of '10', '11', which the classifier does not know"),
        (10, (27, 28), r"of \(channels, height, width\) \(1, 27, 28\); the classifier takes \(1, "),
    ],
)
def test_data_of_another_kind(run, tmp_path, num_classes, shape, message):
    other = write_folder(tmp_path / "other", num_classes, shape)
    with pytest.raises(DataError, match=message):
        evaluate(run.path, other)
    assert not (run.path / "evaluations").exists()


def test_a_run_that_is_not_finished(digits, interrupt_after):
    with pytest.raises(KeyboardInterrupt):
        train(
            digits,
            settings=QUICK,
            out="run",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    with pytest.raises(
        RunError, match=r"run is not finished: it has no model\.safetensors; .*--resume"
    ):
        evaluate("run")


def test_what_is_no_run(tmp_path, digits):
    with pytest.raises(RunError, match="run nowhere does not exist"):
        evaluate("nowhere")
    with pytest.raises(RunError, match=r"is not a run: it has no run\.json and recipe\.toml"):
        evaluate(digits)


def test_a_split_that_is_none(run):
    with pytest.raises(DataError, match="split must be train, validation or test, got 'all'"):
        evaluate(run.path, split="all")


@pytest.mark.parametrize("content", [b"", b"\x01" * 40, b"[1]", b'{"data": 3}', b"{}"])
@pytest.mark.parametrize("name", ["run.json", "recipe.toml", "model.safetensors", "metrics.csv"])
def test_a_damaged_run_is_refused_and_kept(run, name, content):
    if name == "recipe.toml" and content in (b"", b"[1]"):
        content = b"[model]\nnetwork = 3\n"
    if name == "metrics.csv":
        content = b"epoch,train_loss\n1,\xff\n" if content else b"epoch,train_loss\none,two\n"
    evaluation = run.evaluation_file.read_bytes()
    (run.path / name).write_bytes(content)
    with pytest.raises(TellapartError, match=re.escape(name)):
        evaluate(run.path, session=Session(threads=1))
    assert run.evaluation_file.read_bytes() == evaluation


def test_weights_that_are_not_numbers(run):
    tensors, header = load_tensors(run.classifier_file)
    tensors["output.bias"] = torch.full_like(tensors["output.bias"], float("nan"))
    save_tensors(run.classifier_file, tensors, header)
    with pytest.raises(DivergedError):
        evaluate(run.path, session=Session(threads=1))


def test_a_full_disk_leaves_the_old_evaluation(run, monkeypatch):
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = evaluate(run.path, session=Session(threads=1))
    assert "No space left on device" in result.not_written
    assert result.report is None
    assert result.evaluation.num_images == 1000
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_file_where_the_evaluations_should_go(run):
    (run.path / "evaluations").write_text("dear", "utf-8")
    result = evaluate(run.path, split="train", session=Session(threads=1))
    assert re.search(r"cannot make the folder .*evaluations", result.not_written)
    assert (run.path / "evaluations").read_text("utf-8") == "dear"


def test_the_result_reports_what_was_averaged(run):
    plain, averaged = (
        evaluate(run.path, session=Session(threads=1)),
        evaluate(run.path, tta=True, session=Session(threads=1)),
    )
    assert (plain.views, averaged.views) == ((1,), (9,))
    assert plain.title == "mnist-sample, test split"
    assert averaged.title == "mnist-sample, test split, nine views of each image"
    for result in (plain, averaged):
        assert f"<h1>{result.title}</h1>" in result.report.read_text("utf-8")
        printed = {"runs": [str(run.path)], "views": list(result.views)}
        assert printed.items() <= result.to_json().items()
        words = "nine" if result is averaged else "one"
        entry = rf"<dt>views of each image</dt>\s*<dd>{words}</dd>"
        assert re.search(entry, result.report.read_text("utf-8"))
    assert "How it learned" in averaged.report.read_text("utf-8")


def test_nine_views_are_the_mean_over_shifted_images(run):
    pictures = load_data_set("mnist-sample").split("test")
    padded = np.pad(pictures.images.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    classifier = load_classifier(run.classifier_file)
    plain = classifier.with_temperature(None)
    with torch.inference_mode():
        mean = sum(
            plain(torch.from_numpy(padded[:, :, y : y + 28, x : x + 28].copy())).softmax(1) / 9
            for y in range(3)
            for x in range(3)
        )
    mean = (mean.log() / classifier.spec.temperature).softmax(1)
    evaluation = evaluate(run.path, tta=True, session=Session(threads=1)).evaluation
    assert evaluation.num_correct == int((mean.argmax(1) == pictures.labels).sum())
    loss = -mean[torch.arange(1000), pictures.labels].log().mean()
    assert evaluation.loss == pytest.approx(float(loss), rel=1e-5)


def test_a_sample_digit_is_its_own_best_witness(run):
    """The evaluation is of the classifier in the file, on the pictures as they are."""
    pictures = load_data_set("mnist-sample").split("test")
    with torch.inference_mode():
        predicted = load_classifier(run.classifier_file)(pictures.images).argmax(1)
    matrix = torch.zeros(10, 10, dtype=torch.int64)
    matrix.index_put_((pictures.labels, predicted), torch.tensor(1), accumulate=True)
    content = evaluate(run.path, session=Session(threads=1)).to_json()
    assert content["confusion_matrix"] == matrix.tolist()
