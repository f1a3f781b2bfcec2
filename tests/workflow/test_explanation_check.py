"""``explain --check``: the verdicts in text, in JSON and on a page, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tellapart.explanation import check as checking
from tellapart.runs.session import Session
from tellapart.workflow.explanation_check import CHECK_PAGE
from tellapart.workflow.train import train

SESSION = Session(threads=1)


@pytest.fixture(autouse=True)
def fewer_images(monkeypatch):
    """A check of 40 images takes a fifth of the time."""
    monkeypatch.setattr(checking, "NUM_IMAGES", 40)


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run, into which pages may be written."""
    return shutil.copytree(trained.run, tmp_path / "run")


def test_a_check_writes_its_page_beside_the_explanation_and_prints_its_verdicts(tellapart, run):
    outcome = tellapart("explain", run, "--method", "grad-cam", "--check", "--json")
    assert outcome.code == 0
    check = outcome.json["check"]
    [method] = check["methods"]
    assert (method["method"], check["num_images"]) == ("grad-cam", 40)
    assert check["num_test_images"] == 1000
    assert method["follows_network"] is (not method["failed"])
    assert Path(check["page"]) == run / CHECK_PAGE
    assert method["verdict"] in (run / CHECK_PAGE).read_text().lower()
    page = (run / "explanation.html").read_text()
    assert method["verdict"] in page
    assert f'href="{CHECK_PAGE}"' in page


def test_the_terminal_has_a_row_for_each_method(tellapart, run, tmp_path):
    out = tmp_path / "why"
    outcome = tellapart("explain", run, "--method", "grad-cam", "--check", "--out", out)
    assert outcome.code == 0
    assert any(line.startswith("grad-cam ") for line in outcome.out.splitlines())
    assert str(out / CHECK_PAGE) in outcome.out
    assert not (run / CHECK_PAGE).exists()


def test_without_the_option_there_is_no_check(tellapart, run):
    outcome = tellapart("explain", run, "--method", "grad-cam", "--json")
    assert "check" not in outcome.json
    assert not (run / CHECK_PAGE).exists()


def test_grad_cam_is_reported_as_impossible_without_positions(tellapart, tmp_path):
    (tmp_path / "flat.py").write_text(
        "import math\n"
        "from torch import nn\n"
        "def Flat(image_shape, num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(image_shape), num_classes))\n"
    )
    network = str(tmp_path / "flat.py:Flat")
    flat = train(
        settings=["epochs=1", f"model.network={network}"], out=tmp_path / "flat", session=SESSION
    ).run
    arguments = ("--network", network, "--method", "all", "--check", "--json")
    check = tellapart("explain", flat, *arguments).json["check"]
    entries = {entry["method"]: entry for entry in check["methods"]}
    assert entries["grad-cam"]["verdict"] is None
    assert "positions" in entries["grad-cam"]["reason"]
    assert entries["occlusion"]["verdict"]


def test_a_run_without_a_test_split_is_refused(refused, make, tmp_path):
    pictures = make.images(60, seed=2)
    folder = tmp_path / "data"
    write_folder(folder, pictures)
    settings = ["epochs=1", "model.network=single-conv", "data.test_fraction=0"]
    run = train(str(folder), settings=settings, out=tmp_path / "run", session=SESSION).run
    picture = next(folder.rglob("*.png"))
    message = refused("explain", run, picture, "--check")
    assert "test split" in message
    assert "data.test_fraction" in message
    assert not (run / CHECK_PAGE).exists()


def test_a_classifier_file_has_no_test_images(refused, run):
    assert "run's folder" in refused("explain", run / "model.safetensors", "--check")


def write_folder(folder, pictures):
    """A sub-folder of PNG files per class."""
    from PIL import Image

    for number, (image, label) in enumerate(zip(pictures.images, pictures.labels, strict=True)):
        place = folder / pictures.class_names[int(label)]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(place / f"{number}.png")
