"""``tellapart show`` as it is typed: what it prints, its exit codes, and what it leaves behind."""

import json
from pathlib import Path

import pytest
import torch

from tellapart.cli import run
from tellapart.config import load_recipe
from tellapart.models.classifier import Classifier
from tellapart.models.registry import seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization
from tellapart.runs.creation import create_run
from tellapart.runs.folder import DataReference


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def untrained():
    """A run folder with a classifier that has learned nothing."""
    from tellapart.models.checkpoint import save_classifier

    data = DataReference("mnist-sample", "mnist-sample", "")
    folder = create_run(Path("run"), load_recipe("small-data"), data, {})
    classifier = Classifier(
        seeded_network("small-residual", (1, 28, 28), 10, {}, 0),
        ClassifierSpec(
            network="small-residual",
            arguments={},
            class_names=tuple("0123456789"),
            image_shape=(1, 28, 28),
            normalization=Normalization((0.13,), (0.31,)),
        ),
    )
    save_classifier(folder.classifier_file, classifier, {})
    return folder.path


@pytest.mark.parametrize("page", ["convolution", "pooling", "activation"])
def test_a_page_is_written_and_its_path_printed(page, capsys):
    assert run(["show", page]) == 0
    assert capsys.readouterr() == (f"{page}.html\n", "")
    assert Path(f"{page}.html").read_text().startswith("<!doctype html>")
    assert run(["show", page, "--out", "other.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": "other.html"}


def test_a_network_as_page_as_table_and_as_json(untrained, capsys):
    assert run(["show", "network", str(untrained)]) == 0
    assert capsys.readouterr().out == "network.html\n"
    assert run(["show", "network", str(untrained), "--text"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == [
        *("layer", "kind", "settings", "output", "shape", "parameters", "multiply-adds")
    ]
    assert table[1].split() == [
        "stem.conv",
        "Conv2d",
        "3x3,",
        "padding",
        "1",
        "32",
        "x",
        "28",
        "x",
        "28",
        "288",
        "225,792",
    ]
    assert table[-1].split() == ["total", "167,530", "21,902,464"]
    assert run(["show", "network", str(untrained), "--text", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["parameters"], shown["multiply_adds"]) == (167_530, 21_902_464)
    assert shown["page"] is None
    assert len(shown["layers"]) == len(table) - 2
    assert not Path("network-2.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convolution", "--kernel", "wobble"], "no kernel is called 'wobble'"),
        (["convolution", "--kernel", "1;" * 30], "must fit the padded image"),
        (["convolution", "--image", "text.png"], "text.png: not an image in a format"),
        (["convolution", "--kernel", "run:conv9"], "run run has no layer 'conv9'"),
        (["convolution", "--digit", "three"], "see `tellapart show convolution --help`"),
        (["convolution", "--out", "taken.html"], "taken.html exists and is left as it is"),
        (["pooling", "--kind", "median"], "no kind of pooling is called 'median'"),
        (["activation", "--function", "step"], "no activation is called 'step'"),
        (["network", "nowhere"], "run nowhere does not exist"),
        (["network", "run", "--out", "taken.html"], "taken.html exists and is left as it is"),
    ],
)
def test_a_wrong_request_exits_with_2_one_line_and_no_file(arguments, message, untrained, capsys):
    Path("text.png").write_text("no image")
    Path("taken.html").write_text("taken")
    before = sorted(Path().rglob("*"))
    assert run(["show", *arguments]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert message in error
    assert error.startswith("tellapart: ")
    assert error.count("\n") <= 2
    assert sorted(Path().rglob("*")) == before
    assert Path("taken.html").read_text() == "taken"


def test_nothing_is_drawn_from_the_global_generator(untrained):
    before = torch.get_rng_state()
    assert run(["show", "network", str(untrained)]) == 0
    assert torch.equal(before, torch.get_rng_state())
