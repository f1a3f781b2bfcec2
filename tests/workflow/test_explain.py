"""`explain`: what is shown are the run's own mistakes, or the pictures as `predict` reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from tellapart.errors import ConfigError, DataError, RunError
from tellapart.explanation.kinds import ALIKE, LABEL, OTHER, UNLIKE, USUAL
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.workflow.explain import explain
from tellapart.workflow.predict import predict
from tellapart.workflow.train import train

QUICK = {"training.epochs": 1, "model.network": "single-conv"}


@pytest.fixture
def session() -> Session:
    return Session(threads=1)


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy of the run, in which a page may be written."""
    return Path(shutil.copytree(trained.run, tmp_path / "run"))


def write_digits(folder: Path, run: Path, indices) -> list[Path]:
    folder.mkdir()
    images = open_run(run).splits["test"].images
    files = [folder / f"{index:03}.png" for index in indices]
    for index, file in zip(indices, files, strict=True):
        Image.fromarray(images[index, 0].numpy()).save(file)
    return files


def test_the_most_confident_mistakes_with_maps_neighbours_and_kind(run, session):
    result = explain(run, session=session)
    opened = open_run(run)
    test, train_split = opened.splits["test"], opened.splits["train"]
    with torch.inference_mode():
        probabilities = opened.classifier.eval()(test.images).softmax(1)
    wrong = probabilities.argmax(1) != test.labels
    assert result.num_mistakes == int(wrong.sum())
    assert result.methods == ("grad-cam", "integrated-gradients", "occlusion")
    best = probabilities.amax(1)[wrong].sort(descending=True).values[:20]
    assert [entry.probability for entry in result.explained] == pytest.approx(best.tolist())
    for entry in result.explained:
        assert entry.index is not None
        assert entry.other == test.class_names[int(test.labels[entry.index])]
        assert entry.answer == test.class_names[int(probabilities[entry.index].argmax())]
        assert entry.kind is not None
        assert entry.kind.name in (LABEL, UNLIKE, ALIKE, OTHER)
        assert set(entry.maps) == set(result.methods)
        distances = [near.distance for near in entry.nearest]
        assert distances == sorted(distances)
        for near in entry.nearest:
            assert near.label == train_split.class_names[int(train_split.labels[near.index])]
        gaps = entry.maps["integrated-gradients"].gaps
        assert gaps is not None
        assert max(gaps) < 0.01


def test_the_page_is_whole_self_contained_and_the_same_every_time(run, session):
    page = explain(run, methods=["occlusion"], session=session).page
    assert page == run / "explanation.html"
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert text.count('class="card case"') == 20
    explain(run, methods=["occlusion"], session=session)
    assert page.read_text("utf-8") == text


def test_pictures_get_the_answers_that_predict_gives(run, session):
    write_digits(Path("scans"), run, range(0, 1000, 250))
    Path("scans/broken.png").write_bytes(b"no picture")
    result = explain(run, ["scans"], methods=["grad-cam"], session=session)
    predictions = {entry.path: entry for entry in predict(run, ["scans"], session=session)}
    assert len(result.explained) == 4
    for entry in result.explained:
        predicted = predictions[entry.path or ""]
        assert (entry.answer, entry.other) == (predicted.label, predicted.runner_up)
        assert entry.probability == pytest.approx(predicted.probability)
        assert entry.kind is not None
        assert entry.kind.name in (UNLIKE, ALIKE, USUAL)
    [failed] = result.not_explained
    assert failed.reason == predictions[failed.path].error
    content = result.to_json()
    assert [entry["path"] for entry in content["pictures"]][-1] == "scans/broken.png"
    json.dumps(content, allow_nan=False)


def test_out_holds_the_page_and_every_map(run, session):
    files = write_digits(Path("scans"), run, [0, 500])
    result = explain(run, files, methods=["occlusion"], out="why", session=session)
    assert result.page == Path("why/explanation.html")
    assert not (run / "explanation.html").exists()
    assert len(result.files) == 4
    written = sorted(path for path in Path("why").iterdir() if path.suffix == ".png")
    assert written == sorted(result.files)
    for file in written:
        with Image.open(file) as image:
            assert image.mode == "RGB"
            assert min(image.size) >= 224


def test_a_classifier_file_explains_pictures_without_neighbours(run, session):
    files = write_digits(Path("scans"), run, [0])
    shutil.copy(run / "model.safetensors", "alone.safetensors")
    result = explain("alone.safetensors", files, methods=["occlusion"], out="why", session=session)
    [entry] = result.explained
    assert entry.nearest == ()
    assert entry.kind is None
    assert any("run's folder" in note for note in result.notes)
    json.dumps(result.to_json(), allow_nan=False)
    with pytest.raises(RunError, match="folder"):
        explain("alone.safetensors", session=session)


def test_views_are_told_to_be_left_out_of_the_maps(session):
    run = train(settings={**QUICK, "prediction.views": "shifted"}, out="nine", session=session).run
    result = explain(run, methods=["grad-cam"], session=session)
    assert any("9 views" in note for note in result.notes)


def test_a_run_without_test_data_names_the_remedy(run, session, monkeypatch):
    splits = {name: part for name, part in open_run(run).splits.items() if name != "test"}
    monkeypatch.setattr("tellapart.runs.trained_run.TrainedRun.splits", splits)
    with pytest.raises(RunError, match=r"no test split.*PICTURES"):
        explain(run, session=session)


def test_data_that_has_changed_is_refused_for_mistakes(make_digits, tmp_path, session):
    data = make_digits(tmp_path / "data")
    run = train(str(data), settings=QUICK, out="changing", session=session).run
    shutil.rmtree(data)
    make_digits(data, first=1)
    with pytest.raises(RunError, match="has changed"):
        explain(run, session=session)


@pytest.mark.parametrize(
    ("arguments", "error", "remedy"),
    [
        ({"methods": ["gradcam"]}, ConfigError, "grad-cam"),
        ({"images": ["nothing/*.png"]}, DataError, "pattern"),
        ({"out": "full"}, RunError, "another --out"),
    ],
)
def test_a_wrong_request_names_the_remedy_and_writes_nothing(
    run, session, arguments, error, remedy
):
    Path("full").mkdir()
    Path("full/letter.txt").write_text("mine")
    with pytest.raises(error, match=remedy):
        explain(run, session=session, **arguments)
    assert not (run / "explanation.html").exists()
    assert [path.name for path in Path("full").iterdir()] == ["letter.txt"]


def test_a_run_that_is_not_finished_is_refused(run, session):
    (run / "model.safetensors").unlink()
    with pytest.raises(RunError, match="--resume"):
        explain(run, session=session)


FLAT = """
from torch import nn

class Flat(nn.Sequential):
    def __init__(self, in_channels, num_classes):
        super().__init__(nn.Flatten(), nn.Linear(784 * in_channels, num_classes))
"""


def test_an_own_network_without_positions_falls_back_and_tells(session):
    Path("nets.py").write_text(FLAT)
    own = Session(threads=1, network="nets.py:Flat")
    run = train(
        settings={"training.epochs": 1, "model.network": "nets.py:Flat"}, out="flat", session=own
    ).run
    result = explain(run, session=own)
    assert "grad-cam" not in result.methods
    assert any("Grad-CAM" in note for note in result.notes)
    with pytest.raises(ConfigError, match="positions"):
        explain(run, methods=["grad-cam"], session=own)
