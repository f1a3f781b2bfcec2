"""Several runs answer as one: the mean of their probabilities, and what may not be averaged."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tellapart.data.sets.sources import load_data_set
from tellapart.errors import RunError
from tellapart.models.checkpoint import load_classifier, load_tensors, save_tensors
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.ensembling import split_arguments
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


@pytest.fixture(scope="session")
def second(tmp_path_factory):
    """Another run on mnist-sample: another seed, so other weights."""
    out = tmp_path_factory.mktemp("runs") / "second"
    settings = ["epochs=1", "model.network=single-conv"]
    return train(settings=settings, seed=1, out=out, session=Session(threads=1))


@pytest.fixture
def runs(trained, second, tmp_path):
    """Both runs on mnist-sample, copies that may be spoiled."""
    return [
        RunFolder(shutil.copytree(trained.run, tmp_path / "a")),
        RunFolder(shutil.copytree(second.run, tmp_path / "b")),
    ]


def test_a_run_averaged_with_itself_is_the_run(trained, runs):
    run = runs[0]
    before = run.evaluation_file.read_bytes(), run.report_file.read_bytes()
    result = evaluate([run.path, str(run.path)], session=Session(threads=1))
    assert result.evaluation.confusion_matrix == trained.test.confusion_matrix
    assert result.evaluation.loss == pytest.approx(trained.test.loss)
    assert result.evaluation.macro_auc == pytest.approx(trained.test.macro_auc)
    assert (run.evaluation_file.read_bytes(), run.report_file.read_bytes()) == before
    assert (result.run, result.runs) == (run.path, (run.path, run.path))


def test_a_list_of_one_run_is_that_run(trained, runs):
    result = evaluate([runs[0].path], session=Session(threads=1))
    assert result.evaluation == trained.test
    assert result.report == runs[0].report_file
    assert not (runs[0].path / "evaluations").exists()


@pytest.mark.parametrize("tta", [False, True])
def test_the_mean_of_probabilities_by_hand(runs, tta):
    pictures = load_data_set("mnist-sample").split("test")
    padded = np.pad(pictures.images.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    offsets = [(y, x) for y in range(3) for x in range(3)] if tta else [(1, 1)]
    views = [torch.from_numpy(padded[:, :, y : y + 28, x : x + 28].copy()) for y, x in offsets]
    classifiers = [load_classifier(run.classifier_file) for run in runs]
    with torch.inference_mode():
        means = [
            torch.stack([each.plain_logits(view).double().softmax(1) for view in views]).mean(0)
            for each in classifiers
        ]
    # The temperature of each is for the mean over its views.
    temperatures = [each.spec.temperature for each in classifiers]
    answers = [(m.log() / t).softmax(1) for m, t in zip(means, temperatures, strict=True)]
    mean = torch.stack(answers).mean(0)
    result = evaluate([run.path for run in runs], tta=tta, session=Session(threads=1))
    assert result.evaluation.num_correct == int((mean.argmax(1) == pictures.labels).sum())
    loss = -mean[torch.arange(1000), pictures.labels].log().mean()
    assert result.evaluation.loss == pytest.approx(float(loss), rel=1e-5)
    assert result.views == (len(views), len(views))


def test_figures_and_page_have_a_folder_of_their_own(runs):
    a, b = (run.path for run in runs)
    result = evaluate([a, b], session=Session(threads=1))
    folder = result.report.parent
    assert folder.parent == a / "evaluations"
    assert re.fullmatch(r"mnist-sample-test-ensemble-of-2-[0-9a-f]{8}", folder.name)
    assert {path.name for path in folder.iterdir()} == {"evaluation.json", "report.html"}
    assert (
        evaluate([b, a], session=Session(threads=1)).report.parent
        == b / "evaluations" / folder.name
    )
    assert evaluate([a, a], session=Session(threads=1)).report.parent.name != folder.name
    assert not (a / "evaluations" / "mnist-sample-test").exists()


def test_runs_that_answer_by_different_views_are_kept_apart_and_reported(runs):
    a, b = (run.path for run in runs)
    tensors, header = load_tensors(runs[1].classifier_file)
    save_tensors(
        runs[1].classifier_file,
        tensors,
        {**header, "classifier": {**header["classifier"], "views": "shifted"}},
    )
    found = {
        result.title.removeprefix("mnist-sample, test split, "): result
        for result in (
            evaluate([a, b], tta=tta, session=Session(threads=1)) for tta in (None, True, False)
        )
    }
    assert {title: result.views for title, result in found.items()} == {
        "ensemble of 2 runs, one to nine views of each image": (1, 9),
        "ensemble of 2 runs, nine views of each image": (9, 9),
        "ensemble of 2 runs": (1, 1),
    }
    assert len({result.report.parent for result in found.values()}) == 3
    assert len({result.evaluation.loss for result in found.values()}) == 3
    names = sorted(result.report.parent.name for result in found.values())
    assert names[2].startswith("mnist-sample-test-one-to-nine-views-ensemble-of-2-")


def test_page_and_title_say_what_was_averaged(runs):
    a, b = (run.path for run in runs)
    result = evaluate([a, b], tta=True, session=Session(threads=1))
    title = "mnist-sample, test split, ensemble of 2 runs, nine views of each image"
    assert result.title == title
    assert "-nine-views-ensemble-of-2-" in result.report.parent.name
    page = result.report.read_text("utf-8")
    assert f"<h1>{title}</h1>" in page
    for path, seed in ((a, 0), (b, 1)):
        assert f"{path}: single-conv, recipe small-data, seed {seed}, trained on mnist" in page
    assert "How it learned" not in page
    assert {
        "runs": [str(a), str(b)],
        "run": str(a),
        "views": [9, 9],
    }.items() <= result.to_json().items()


def forge(run: RunFolder, **header) -> None:
    """Writes other things into the header of a run's classifier."""
    tensors, known = load_tensors(run.classifier_file)
    spec = {**known["classifier"], **header}
    num_classes = len(spec["class_names"])
    for name in ("output.weight", "output.bias"):
        tensors[name] = tensors[name][:num_classes].contiguous()
    save_tensors(run.classifier_file, tensors, {**known, "classifier": spec})


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"class_names": list("012345678")}, "only one of them has '9'"),
        ({"fit": "crop"}, "fit pad, against (1, 28, 28), fit crop; evaluate each by itself"),
    ],
)
def test_runs_that_do_not_fit_one_another(runs, header, message):
    a, b = runs
    forge(b, **header)
    with pytest.raises(RunError) as caught:
        evaluate([a.path, b.path], session=Session(threads=1))
    assert str(caught.value).startswith(f"runs {a.path} and {b.path} ")
    assert message in str(caught.value)
    assert not (a.path / "evaluations").exists()


def test_classes_in_another_order_are_matched_by_name(runs):
    a, b = runs
    plain = evaluate([a.path, b.path], session=Session(threads=1)).evaluation
    order = [1, 0, *range(2, 10)]
    tensors, known = load_tensors(b.classifier_file)
    for name in ("output.weight", "output.bias"):
        tensors[name] = tensors[name][order].contiguous()
    spec = {**known["classifier"], "class_names": [str(label) for label in order]}
    save_tensors(b.classifier_file, tensors, {**known, "classifier": spec})
    assert evaluate([a.path, b.path], session=Session(threads=1)).evaluation == plain


def test_no_run_at_all():
    with pytest.raises(RunError, match=r"^no run is given; give the folder that"):
        evaluate([])


def test_one_of_them_is_no_run_or_not_finished(runs):
    a, b = (run.path for run in runs)
    with pytest.raises(RunError, match="run nowhere does not exist"):
        evaluate([a, "nowhere"])
    runs[1].classifier_file.unlink()
    with pytest.raises(RunError, match=f"run {b} is not finished: it has no model"):
        evaluate([a, b])


def test_validation_images_of_one_that_another_was_trained_on(digits):
    settings = [*QUICK, "validation_fraction=0.25"]
    for name, seed, extra in (("a", 0, ()), ("b", 0, ("split_seed=1",)), ("c", 1, ())):
        train(digits, settings=[*settings, *extra], seed=seed, out=name, session=Session(threads=1))
    train(digits, settings=QUICK, seed=0, out="d", session=Session(threads=1))
    both, one = (
        evaluate(runs, split="validation", session=Session(threads=1)) for runs in (["a", "c"], "a")
    )
    assert both.evaluation.num_images == one.evaluation.num_images < 400
    for other in ("b", "d"):
        with pytest.raises(RunError) as caught:
            evaluate(["a", other], split="validation", session=Session(threads=1))
        assert f"runs a and {other} have different validation splits" in str(caught.value)
        assert "--split test" in str(caught.value)
        assert evaluate(["a", other], session=Session(threads=1)).evaluation.num_images == 100


def test_validation_of_runs_on_different_data(digits, make_digits, tmp_path):
    settings = [*QUICK, "validation_fraction=0.25"]
    train(digits, settings=settings, out="a", session=Session(threads=1))
    train(
        make_digits(tmp_path / "other", first=3),
        settings=settings,
        out="b",
        session=Session(threads=1),
    )
    with pytest.raises(RunError, match="runs a and b have different validation splits"):
        evaluate(["a", "b"], split="validation", session=Session(threads=1))


def test_a_run_on_other_data_that_has_seen_the_images(second, make_digits, tmp_path):
    folder = make_digits(tmp_path / "other", test_of="train")
    train(folder, settings=QUICK, out="first", session=Session(threads=1))
    doubts = Doubts()
    evaluate(["first", second.run], session=Session(threads=1, callbacks=doubts))
    [warning] = doubts.printed
    assert warning.startswith("94 of these 100 images are in the train split of mnist-sample")
    assert f"run {second.run} has seen them" in warning


def test_runs_trained_on_the_same_images_are_named_together(runs, make_digits, tmp_path):
    a, b = (run.path for run in runs)
    folder = make_digits(tmp_path / "other", test_of="train")
    doubts = Doubts()
    evaluate([a, b], folder, session=Session(threads=1, callbacks=doubts))
    [warning] = doubts.printed
    assert warning.startswith("94 of these 100 images are in the train split of mnist-sample")
    assert f"runs {a}, {b} have seen them" in warning
    doubts = Doubts()
    evaluate([a, b], session=Session(threads=1, callbacks=doubts))
    assert doubts.printed == []


def test_other_data_of_one_run_that_is_gone(trained, make_digits, tmp_path):
    train(make_digits(tmp_path / "own"), settings=QUICK, out="b", session=Session(threads=1))
    run = shutil.copytree(trained.run, "a")
    shutil.rmtree("own")
    doubts = Doubts()
    evaluate([run, "b"], session=Session(threads=1, callbacks=doubts))
    [warning] = doubts.printed
    assert "the data of run b (own) is not found" in warning


def test_arrays_whose_test_split_was_cut_by_another_seed(tmp_path):
    """Their fingerprint is the same, and yet the test pictures of one are trained on by another."""
    pictures = load_data_set("mnist-sample").split("test")
    arrays = {"x_train": pictures.images[:, 0].numpy(), "y_train": pictures.labels.numpy()}
    np.savez(tmp_path / "digits.npz", **arrays)
    for name, seed in (("a", 0), ("b", 1)):
        settings = [*QUICK, f"data.split_seed={seed}"]
        train(tmp_path / "digits.npz", settings=settings, out=name, session=Session(threads=1))
    doubts = Doubts()
    evaluate(["a", "b"], session=Session(threads=1, callbacks=doubts))
    [printed] = doubts.printed
    found = re.match(
        r"(\d+) of these 200 images are in the train split of digits: run b has", printed
    )
    assert 120 < int(found[1]) < 190


@pytest.mark.parametrize(
    ("arguments", "runs", "data"),
    [
        (["a"], ["a"], None),
        (["a", "b"], ["a", "b"], None),
        (["a", "b", "mnist"], ["a", "b"], "mnist"),
        (["a", "pictures"], ["a"], "pictures"),
        (["nowhere", "b"], ["nowhere", "b"], None),
        (["a", "kmnist"], ["a"], "kmnist"),
    ],
)
def test_arguments_are_runs_and_at_last_data(arguments, runs, data):
    for name in ("a", "b", "kmnist"):
        Path(name).mkdir()
        RunFolder(Path(name)).run_file.touch()
        RunFolder(Path(name)).recipe_file.touch()
    Path("pictures").mkdir()
    assert split_arguments(arguments) == ([Path(name) for name in runs], data)


def test_data_before_the_last_argument():
    with pytest.raises(RunError) as caught:
        split_arguments(["a", "mnist", "b"])
    assert str(caught.value) == (
        "mnist is not a run, and only the last argument may be data; a run is the folder that "
        "`tellapart train` prints"
    )
