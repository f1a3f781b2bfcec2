"""Drawings of other data are read by every verb as predict reads them."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

from tellapart.cli import run as run_command_line
from tellapart.data.sets.sources import load_data_set
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.finetune import finetune
from tellapart.workflow.predict import predict


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A copy of the run: what is evaluated here is written into it."""
    return shutil.copytree(trained.run, tmp_path_factory.mktemp("runs") / "digits")


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """Photographs of digits in dark ink somewhere on white paper, 4 of each."""
    folder, place = tmp_path_factory.mktemp("data") / "paper", np.random.default_rng(0)
    test = load_data_set("mnist-sample").split("test")
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for index in (test.labels == label).nonzero().flatten()[:4].tolist():
            digit = ImageOps.invert(Image.fromarray(test.images[index, 0].numpy()))
            page = Image.new("L", (300, 240), 250)
            corner = (int(place.integers(0, 180)), int(place.integers(0, 120)))
            page.paste(digit.resize((112, 112), Image.Resampling.BICUBIC), corner)
            page.convert("RGB").save(folder / str(label) / f"{index}.jpg", quality=92)
    return folder


def test_evaluate_classifies_what_predict_classifies(run, paper):
    session = Session(threads=1)
    predictions = predict(run, [paper], session=session)
    right = sum(entry.label == entry.path.split("/")[-2] for entry in predictions)
    result = evaluate(run, paper, session=session)
    assert result.evaluation.num_correct == right > 25
    assert result.changes["inverted"] == 40
    as_is = evaluate(run, paper, as_is=True, session=session)
    assert as_is.evaluation.num_correct < 15
    assert not as_is.changes


def test_what_was_changed_is_reported(run, paper, capsys):
    assert run_command_line(["evaluate", str(run), str(paper), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["changes"]["inverted"] == 40
    assert "inverted 40" in captured.err


def test_arrays_of_the_other_background_are_inverted(run, trained, tmp_path):
    test = load_data_set("mnist-sample").split("test")
    images, labels = 255 - test.images[:, 0].numpy(), test.labels.numpy()
    split = {f"{name}_{part}": of for part in ("train", "test") for name, of in
             (("x", images), ("y", labels))}  # fmt: skip
    np.savez(tmp_path / "inverted.npz", **split)
    result = evaluate(run, tmp_path / "inverted.npz", session=Session(threads=1))
    assert result.evaluation.accuracy == trained.test.accuracy
    assert result.changes == {"inverted": 1000}


def test_fine_tuning_reads_drawings_as_its_source_knows_them(run, paper):
    session = Session(threads=1)
    settings = {"training.epochs": 2, "training.batch_size": 8}
    result = finetune(run, paper, settings=settings, out="tuned", session=session)
    tuned = open_run(result.run)
    assert tuned.classifier.spec.style.background == "dark"
    for part in tuned.splits.values():
        assert float(part.images.float().mean()) < 80  # light on dark, as the source's images
    assert evaluate(result.run, session=session).evaluation == result.test
    left = {**settings, "data.drawings": "as-is"}
    as_is = finetune(run, paper, settings=left, out="as-is", session=session)
    assert float(open_run(as_is.run).splits["train"].images.float().mean()) > 180


def test_its_own_images_stay_as_they_are(run, trained):
    result = evaluate(run, session=Session(threads=1))
    assert result.evaluation == trained.test
    assert not result.changes


def test_photographs_are_no_drawings(run, tmp_path):
    noise = np.random.default_rng(0)
    for label in "01":
        (tmp_path / "noise" / label).mkdir(parents=True)
        for number in range(6):
            pixels = noise.integers(0, 256, (40, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "noise" / label / f"{number}.png")
    assert not evaluate(run, tmp_path / "noise", session=Session(threads=1)).changes


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_a_classifier_of_8_bits_reads_images_of_more(run, tmp_path, bits):
    heard = []

    class Listener(Callbacks):
        def note(self, text):
            heard.append(text)

    session = Session(threads=1, callbacks=Listener())
    test = load_data_set("mnist-sample").split("test")
    for label in range(10):
        for folder in ("plain", "deep"):
            (tmp_path / folder / str(label)).mkdir(parents=True)
        for index in (test.labels == label).nonzero().flatten()[:4].tolist():
            digit = test.images[index, 0].numpy()
            Image.fromarray(digit).save(tmp_path / "plain" / str(label) / f"{index}.png")
            values = digit.astype("u2") * ((2**bits - 1) // 255)
            Image.fromarray(values).save(tmp_path / "deep" / str(label) / f"{index}.png")
    (tmp_path / "deep" / "0" / "broken.png").write_text("no image")
    plain, deep = (
        evaluate(run, tmp_path / name, session=session).evaluation for name in ("plain", "deep")
    )
    assert deep.num_correct == plain.num_correct > 30
    notes = "\n".join(heard)
    assert f"{2**bits - 1} is white" in notes
    assert "broken.png" in notes  # what is left out is reported
    for entry in predict(run, sorted((tmp_path / "deep").glob("?/[0-9]*.png")), session=session):
        assert f"{2**bits - 1} is white" in entry.changes
