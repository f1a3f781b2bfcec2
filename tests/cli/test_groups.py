"""Groups of images at the command line: ``--group-by``, a column of a table, and refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from PIL import Image

QUICK = (
    *("--set", "epochs=1", "--set", "model.network=single-conv", "--threads", "1"),
    *("--set", "data.validation_fraction=0.2", "--set", "batch_size=8"),
)
FEW = ("--set", "epochs=1", "--set", "data.validation_fraction=0.2")
PATTERN = r"patient(\d+)_"


@pytest.fixture
def cells(monkeypatch):
    """Twelve patients with three images of each of two classes, no two alike."""
    monkeypatch.setenv("TELLAPART_CACHE", str(Path("cache").resolve()))
    generator = torch.Generator().manual_seed(0)
    for number in range(72):
        coarse = torch.randint(0, 256, (6, 6, 3), dtype=torch.uint8, generator=generator)
        place = Path("cells", ("sick", "well")[number % 2], f"patient{number // 6}_{number}.png")
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse.numpy()).resize((24, 24), Image.Resampling.BICUBIC).save(place)
    return Path("cells")


def paths(folder):
    return sorted(folder.rglob("*.png"))


def patient(path):
    return Path(path).name.partition("_")[0]


def write_table(name, columns, rows):
    text = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    Path(name).write_text("\n".join(text), encoding="utf-8")
    return name


def recorded(run="run"):
    with Path(run, "images.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def require_undivided(rows):
    splits = {}
    for row in rows:
        splits.setdefault(patient(row["path"]), set()).add(row["split"])
    assert len(splits) == 12
    assert {len(found) for found in splits.values()} == {1}
    assert {row["split"] for row in rows} == {"train", "validation", "test"}


def test_a_pattern_keeps_patients_together_and_the_run_again(tellapart, cells):
    outcome = tellapart("train", cells, "--group-by", PATTERN, *QUICK, "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert "72 images in 12 groups" in outcome.err
    rows = recorded()
    require_undivided(rows)
    assert {row["group"] for row in rows} == set(map(str, range(12)))
    again = tellapart("evaluate", "run", "--json").json
    assert again["accuracy"] == outcome.json["test_accuracy"]
    # The table that the run wrote gives the same images, splits and groups.
    outcome = tellapart("train", "run/images.csv", *QUICK, "--out", "again", "--json")
    assert outcome.code == 0, outcome.err
    assert recorded("again") == rows
    assert tellapart("data", "check", "run/images.csv", "--json").code == 0


def test_a_column_of_a_table_keeps_patients_together(tellapart, cells):
    rows = [(path, path.parent.name, patient(path)) for path in paths(cells)]
    table = write_table("cells.csv", ("path", "label", "group"), rows)
    outcome = tellapart("train", table, *QUICK, "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert "72 images in 12 groups" in outcome.err
    require_undivided(recorded())
    again = tellapart("evaluate", "run", "--json").json
    assert again["accuracy"] == outcome.json["test_accuracy"]


def test_without_groups_the_run_lists_none(tellapart, cells):
    assert tellapart("train", cells, *QUICK, "--out", "run").code == 0
    assert recorded()[0].keys() == {"path", "label", "split"}


def test_fine_tuning_and_preparing_take_the_pattern_too(tellapart, cells):
    asked = ("--group-by", PATTERN)
    assert tellapart("train", cells, *asked, *QUICK, "--out", "first").code == 0
    assert tellapart("finetune", "first", cells, *asked, *FEW, "--out", "second").code == 0
    require_undivided(recorded("second"))
    prepared = tellapart("data", "prepare", cells, *asked, "--json").json
    assert any("12 groups" in note for note in prepared["notes"])


def test_a_group_in_two_given_splits_is_a_leak(tellapart, cells):
    rows = [
        (path, path.parent.name, "test" if number % 3 == 0 else "train", patient(path))
        for number, path in enumerate(paths(cells))
    ]
    table = write_table("cells.csv", ("path", "label", "split", "group"), rows)
    outcome = tellapart("data", "check", table, "--json", "--page", "check.html")
    (leak,) = [found for found in outcome.json["findings"] if found["severity"] == "leak"]
    assert (outcome.code, outcome.json["has_leaks"], leak["kind"]) == (2, True, "group-leak")
    assert "12 of the 12 groups" in leak["message"]
    assert "'patient0' (4 in train, 2 in test)" in leak["message"]
    assert len(leak["groups"]) == 12
    assert "patient0" in Path("check.html").read_text("utf-8")
    assert tellapart("data", "check", table, "--allow").code == 0
    outcome = tellapart("train", table, *QUICK[:4], "--threads", "1", "--dry-run")
    assert outcome.code == 0
    assert "12 of the 12 groups" in outcome.err
    assert "data check" in outcome.err


def test_split_folders_with_a_pattern_are_checked_for_groups(tellapart, cells):
    for number, path in enumerate(paths(cells)):
        place = Path("divided", "test" if number < 12 else "train", path.parent.name, path.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    for asked, code in ((("--group-by", PATTERN), 2), ((), 0)):
        outcome = tellapart("data", "check", "divided", *asked, "--json")
        assert outcome.code == code
        kinds = [found["kind"] for found in outcome.json["findings"]]
        assert ("group-leak" in kinds) == bool(asked)


@pytest.mark.parametrize("command", ["train", "data check", "data prepare"])
@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("patient(", ["'patient('", "regular expression"]),
        (r"person(\d+)", ["72 paths", "sick/patient0_0.png", "sick/patient0_2.png", "change"]),
        (r"patient(\d)_", ["12 of the 72", "sick/patient10_60.png", "widen"]),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(refused, cells, command, pattern, words):
    message = refused(*command.split(), cells, "--group-by", pattern)
    assert not [word for word in words if word not in message]


def test_a_pattern_beside_a_column_is_refused(refused, tellapart, cells):
    rows = [(path, path.parent.name, patient(path)) for path in paths(cells)]
    table = write_table("cells.csv", ("path", "label", "group"), rows)
    message = refused("train", table, "--group-by", PATTERN)
    assert "column" in message
    assert "data.group_by" in message
    # The remedy that it names, for a recipe that has the pattern in it.
    Path("r.toml").write_text(f"[data]\ngroup_by = '{PATTERN}'\n", "utf-8")
    asked = ("train", table, "--recipe", "r.toml", "--set", "batch_size=8", "--dry-run")
    refused(*asked)
    assert tellapart(*asked, "--set", "data.group_by=").code == 0
    assert tellapart(*asked, "--group-by", "").code == 0


def test_a_class_of_one_group_is_refused(tellapart, cells):
    for path in paths(cells):
        if path.parent.name == "sick" and not path.name.startswith("patient3_"):
            path.unlink()
    outcome = tellapart("train", cells, "--group-by", PATTERN)
    assert outcome.code == 2
    assert "'sick' has 1" in outcome.err
    assert "data.test_fraction=0" in outcome.err


def test_arrays_have_no_paths(refused):
    message = refused("train", "mnist-sample", "--group-by", PATTERN)
    assert "mnist-sample holds arrays" in message
    assert "leave it out" in message


def test_the_recipe_shows_the_pattern_as_it_was_given(tellapart):
    shown = tellapart("recipes", "show", "--set", f"data.group_by={PATTERN}")
    assert shown.code == 0
    Path("shown.toml").write_text(shown.out, "utf-8")
    again = tellapart("recipes", "show", "shown.toml", "--json")
    assert again.json["data"]["group_by"] == PATTERN
