"""`tellapart finetune`: what it prints, what it prints with --json, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tellapart.cli.source_table import COLUMNS, cells
from tellapart.finetuning.sources import SOURCES
from tellapart.runs.folder import RunFolder

QUICK = ("--set", "epochs=2", "--set", "batch_size=50", "--threads", "1")
# The run `trained` knows all ten digits; a new output layer learns some of them again.
SOME = ("--set", "classes=3,5,8")


def test_it_reports_what_became_of_every_tensor_and_how_much_is_trained(tellapart, trained, digits):
    outcome = tellapart("finetune", trained, digits, *SOME, *QUICK, "--freezing", "head")
    assert outcome.code == 0
    progress = outcome.err.splitlines()
    assert f"source    {trained}, weights " in outcome.err
    [line] = [line for line in progress if line.startswith("freezing  ")]
    assert line == "freezing  head; stages: conv1, output; 98.1 % of the weights are trained"
    assert re.search(r"^weights +loaded +2 tensors \(80 weights\)$", outcome.err, re.MULTILINE)
    new = r"^ +new +2 tensors \(4,059 weights\), for the new classes: output.weight, output.bias$"
    assert re.search(new, outcome.err, re.MULTILINE)
    assert outcome.out.splitlines()[-1] == "run       runs/digits-finetune-few-1"


def test_json_is_what_train_prints_and_the_source(tellapart, trained, digits):
    ours = tellapart("finetune", trained, digits, *SOME, *QUICK, "--json").json
    theirs = tellapart("train", digits, *SOME, *QUICK, "--json").json
    assert ours.keys() - theirs.keys() == {
        "source",
        "source_sha256",
        "freezing",
        "fraction_trained",
    }
    assert not theirs.keys() - ours.keys()
    assert ours["source"] == str(trained)
    recipe = RunFolder(Path(ours["run"])).read_recipe()
    assert (ours["freezing"], ours["fraction_trained"]) == (recipe.finetuning.freezing, 1)


def test_options_reach_the_recipe(tellapart, trained, digits):
    options = ("--shots", "4", "--seed", "3", "--lora-rank", "2", "--freezing", "gradual")
    quick = ("--set", "epochs=1", "--threads", "1")
    outcome = tellapart("finetune", trained, digits, *SOME, *quick, *options, "--out", "run")
    assert outcome.code == 0
    recipe = RunFolder(Path("run")).read_recipe()
    assert (recipe.data.shots, recipe.training.seed) == (4, 3)
    assert (recipe.finetuning.lora_rank, recipe.finetuning.freezing) == (2, "gradual")
    assert "3 classes, 4 each" in outcome.err


def test_a_number_of_stages_is_a_freezing(tellapart, trained, digits):
    outcome = tellapart("finetune", trained, digits, *SOME, *QUICK, "--freezing", "1", "--json")
    assert outcome.json["freezing"] == 1


def test_a_dry_run_writes_nothing(tellapart, trained, digits):
    outcome = tellapart("finetune", trained, digits, *SOME, "--dry-run", "--json")
    assert outcome.json["source"] == str(trained)
    assert not Path("runs").exists()
    assert "output" in tellapart("finetune", trained, digits, *SOME, "--dry-run").out


def test_a_dry_run_of_a_deep_network_is_short_and_its_json_complete(tellapart, timm, digits):
    """A hundred stages of two tensors, the stem and the output layer."""
    timm.num_stages = 100
    outcome = tellapart("finetune", "timm:tiny.v1", digits, "--dry-run")
    lines = outcome.out.splitlines()
    assert len(lines) <= 16
    assert max(map(len, lines)) <= 300
    first = next(number for number, line in enumerate(lines) if line.startswith("weights "))
    loaded, adapted, new = (" ".join(line.split()) for line in lines[first : first + 3])
    # Each stage has a kernel of 6x6x3x3 and 6 biases; the stem has a bias of its own.
    assert loaded == f"weights loaded 201 tensors ({100 * (324 + 6) + 6:,} weights)"
    assert adapted.startswith("adapted 1 tensor (54 weights)")
    assert adapted.endswith("3 channels to 1 channel: backbone.stem.weight")
    assert new.startswith("new 2 tensors (70 weights)")
    assert "and 93 more, output" in outcome.out
    content = tellapart("finetune", "timm:tiny.v1", digits, "--dry-run", "--json").json
    assert len(content["stages"]) == 101
    assert len(content["transfers"]) == 204
    assert content["transfers"][0] == {
        "name": "backbone.stem.weight",
        "shape": [6, 1, 3, 3],
        "source_shape": [6, 3, 3, 3],
        "outcome": "adapted",
        "how": "3 channels to 1 channel",
    }


def test_a_comparison_is_one_table(tellapart, trained, digits):
    arguments = ("--compare", "--set", "epochs=1", "--shots", "5", "--threads", "1", *SOME)
    outcome = tellapart("finetune", trained, digits, *arguments)
    assert outcome.code == 0
    rows = outcome.out.splitlines()
    assert rows[0].split()[0] == "way"
    assert [row.split()[0] for row in rows[1:6]] == ["zero", "head", "gradual", "all", "lora"]
    assert all(re.search(r"\d\d\.\d\d % \(\d+\.\d\d to \d+\.\d\d %\)", row) for row in rows[1:6])
    # What is loaded is the same for the four ways from a source, and said once.
    assert len(re.findall(r"^ +new .*output", outcome.err, re.MULTILINE)) == 1
    content = tellapart("finetune", trained, digits, *arguments, "--json").json
    assert [way["way"] for way in content["ways"]] == ["zero", "head", "gradual", "all", "lora"]
    assert all(0 < way["fraction_trained"] <= 1 for way in content["ways"])


REFUSALS = {
    ("nowhere",): "'nowhere' is no run, no classifier file, not imagenet and no timm:NAME; a run",
    ("RUN", "--freezing", "most"): "freezing must be head, all, gradual or a whole number, got",
    ("RUN", "--freezing", "2"): "freezing 2 asks for more stages than the 1 of this network",
    ("RUN", "--lora-rank", "0"): "lora_rank must be at least 1, got 0",
    ("RUN", "--lora-rank", "9"): "to that of the smallest layer, 8 of 'conv1' (8, 1, 3, 3), got 9",
    ("RUN", "--shots", "400"): "400 shots ask for 400 training images a class",
    ("RUN", "--shots", "-1"): "shots must be at least 0, got -1",
    ("RUN", "--set", "classes=3,x"): "has no class 'x' (data.classes); ",
    ("RUN", "--set", "classes=3"): "has one class, '3'; a classifier tells at least 2 apart",
    ("RUN", "--weights", "x.pth"): "weights_file belongs to a source imagenet or timm:NAME",
    ("RUN", "--compare", "--freezing", "head"): "--compare tries every way in turn; leave out",
}


@pytest.mark.parametrize("arguments", REFUSALS, ids=" ".join)
def test_what_is_wrong_is_reported_in_a_line(refused, trained, digits, arguments):
    source, *options = (trained if word == "RUN" else word for word in arguments)
    assert REFUSALS[arguments] in refused("finetune", source, digits, *options)
    assert not Path("runs").exists()


def test_a_recipe_for_fine_tuning_needs_a_source(refused):
    assert refused("train", "--recipe", "finetune").endswith(
        "needs a source to start from; use `tellapart finetune SOURCE DATA`, or set "
        "finetuning.source"
    )


def test_the_sources_are_listed_without_a_source_or_data(tellapart):
    outcome = tellapart("finetune", "--sources")
    assert (outcome.code, outcome.err) == (0, "")
    rows = outcome.out.splitlines()[1 : len(SOURCES) + 1]
    assert [row.split()[0] for row in rows] == [facts.source for facts in SOURCES]
    content = tellapart("finetune", "--sources", "--json").json
    assert content == {"sources": [facts.to_json() for facts in SOURCES]}
    assert content["sources"][1]["licence"] == "Apache-2.0"
    assert not Path("runs").exists()


def test_the_page_has_the_table_that_is_printed():
    page = (Path(__file__).parents[2] / "docs" / "finetuning.md").read_text(encoding="utf-8")
    shown = page.split("<!-- sources:begin -->\n")[1].split("<!-- sources:end -->")[0]
    head, line, *rows = (row.strip("| \n").split(" | ") for row in shown.strip().splitlines())
    assert tuple(head) == COLUMNS
    assert set("".join(line)) <= set("-:| ")
    assert [tuple(cell.strip("`") for cell in row) for row in rows] == list(map(cells, SOURCES))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "got neither"),
        (("imagenet",), "got only 'imagenet'"),
        (("imagenet", "digits", "--sources"), "leave out SOURCE ('imagenet') and DATA"),
    ],
    ids=str,
)
def test_a_source_and_data_are_needed_except_for_the_list(refused, arguments, told):
    message = refused("finetune", *arguments)
    assert told in message
    assert "--sources" in message
