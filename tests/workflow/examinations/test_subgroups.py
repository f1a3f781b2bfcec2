"""`evaluate --subgroups`: accuracy by a column of the table, and columns that will not do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import tellapart
from tellapart.data.sets.sources import load_data_set
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate

ONE = Session(threads=1)
SETTINGS = {"training.epochs": 3, "model.network": "single-conv", "data.test_fraction": 0.4}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table of 3s and 8s; those of site B are too dark to be seen."""
    place = tmp_path_factory.mktemp("table")
    train = load_data_set("mnist-sample").split("train")
    lines = ["path,label,site,number,same,note"]
    for name in ("3", "8"):
        rows = (train.labels == train.class_names.index(name)).nonzero().squeeze(1)[:90]
        for place_in_class, row in enumerate(rows.tolist()):
            site = "AB"[place_in_class % 3 == 0]
            pixels = train.images[row, 0] // (1 if site == "A" else 250)
            Image.fromarray(pixels.numpy()).save(place / f"{row}.png")
            note = "" if place_in_class % 2 else "blurred"
            lines.append(f"{row}.png,{name},{site},{row * 0.5},x,{note}")
    (place / "digits.csv").write_text("\n".join(lines))
    settings = {**SETTINGS, "data.near_duplicates": "ignore"}
    out = place / "run"
    return tellapart.train(place / "digits.csv", settings=settings, out=out, session=ONE).run


def test_the_subgroups_make_up_the_whole(run: Path):
    result = evaluate(run, subgroups="site", session=ONE)
    found = result.to_json()["subgroups"]
    sizes = [group["num_images"] for group in found["groups"]]
    assert sum(sizes) == found["num_images"] == result.evaluation.num_images
    correct = sum(group["num_images"] * group["accuracy"] for group in found["groups"])
    assert correct == pytest.approx(result.evaluation.num_correct)
    by_name = {group["group"]: group for group in found["groups"]}
    assert by_name.keys() == {"A", "B"}
    assert by_name["B"]["accuracy"] + 0.2 < by_name["A"]["accuracy"]
    assert found["p_value"] < 0.05
    wrong = sorted(place for group in found["groups"] for place in group["wrong"])
    assert len(wrong) == len(set(wrong)) == result.evaluation.num_images - round(correct)
    page = Path(found["page"])
    assert page.read_text("utf-8").count("<img") >= 1
    beside = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert beside == {name: value for name, value in found.items() if name != "page"}


def test_the_values_are_those_of_the_rows(run: Path):
    data_set = tellapart.open_run(run).data_set
    for split, files in data_set.files.items():
        sites = data_set.columns[split]["site"]
        assert len(sites) == len(files) == len(data_set.splits[split])
        darkest = data_set.splits[split].images.amax((1, 2, 3)) < 2
        assert [site == "B" for site in sites] == darkest.tolist()


def test_an_empty_cell_is_a_subgroup(run: Path):
    found = evaluate(run, subgroups="note", session=ONE).to_json()["subgroups"]
    assert {group["group"] for group in found["groups"]} == {"(empty)", "blurred"}


def test_other_data_with_the_column(run: Path):
    table = run.parent / "digits.csv"
    other = run.parent / "others.csv"
    lines = table.read_text().splitlines()
    other.write_text("\n".join([lines[0], *lines[1::4]]))
    found = evaluate(run, other, subgroups="site", session=ONE).to_json()["subgroups"]
    assert found["num_images"] == len(lines[1::4])


@pytest.mark.parametrize(
    ("column", "named"),
    [
        ("sight", ["'sight'", "'site'"]),
        ("xyz", ["'xyz'", "site, number, same, note"]),
        ("same", ["'x'", "two values"]),
        ("number", ["numbers", "at most 20", "ranges"]),
    ],
)
def test_a_column_that_will_not_do_exits_2(
    run: Path, refused: Callable[..., str], column: str, named: list[str]
):
    (run / "subgroups.html").unlink(missing_ok=True)
    message = refused("evaluate", run, "--subgroups", column)
    assert all(text in message for text in named), message
    assert not (run / "subgroups.html").exists()


def test_data_without_a_table_exits_2(trained, refused: Callable[..., str]):
    message = refused("evaluate", trained.run, "--subgroups", "site")
    assert "site" in message
    assert ".csv" in message
