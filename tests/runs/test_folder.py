"""A run folder gives back what was put in, and damage is refused."""

import csv
import json
from datetime import datetime

import pytest

from tellapart.config import load_recipe
from tellapart.errors import ConfigError, RunError
from tellapart.runs.creation import create_run
from tellapart.runs.folder import (
    DataReference,
    RunFolder,
    SourceReference,
    find_run,
    source_of,
)

DATA = DataReference("mnist", "mnist", "ab" * 32)


def make(path, recipe=None, data=DATA):
    return create_run(path, recipe or load_recipe("tutorial-lenet"), data, {"threads": 1})


def refusal(action):
    with pytest.raises(RunError) as caught:
        action()
    return str(caught.value)


def test_a_run_gives_back_its_recipe_and_its_data(tmp_path):
    recipe = load_recipe("tutorial-dropout-adam").with_settings(["seed=7"])
    data = DataReference("/数/pictures", "pictures", "cd" * 32, "/somewhere")
    run = find_run(make(tmp_path / "run", recipe, data).path)
    assert run.read_recipe() == recipe
    assert run.read_data_reference() == data
    assert datetime.fromisoformat(run.read_json(run.run_file)["created"]).tzinfo is not None
    assert run.read_machine() == {"threads": 1}


def test_a_fine_tuned_run_gives_back_its_source(tmp_path):
    source = SourceReference("/runs/first", "ef" * 32)
    run = create_run(tmp_path / "run", load_recipe("finetune"), DATA, {}, source)
    assert find_run(run.path).read_source() == source
    assert run.read_data_reference() == DATA


@pytest.mark.parametrize("content", ["{}", '{"finetuned_from": {"source": 3}}'])
def test_a_run_that_does_not_record_its_source_is_refused(tmp_path, content):
    run = make(tmp_path / "run")
    run.run_file.write_text(content, "utf-8")
    assert refusal(run.read_source) == (
        f"{run.run_file} does not record what the run was fine-tuned from"
    )


def test_looking_at_a_run_touches_no_disk(tmp_path):
    run = RunFolder(tmp_path / "no")
    assert run.read_metrics() == []
    assert not (tmp_path / "no").exists()


def test_what_is_no_run_is_refused(tmp_path):
    assert refusal(lambda: find_run(tmp_path / "no")) == (
        f"run {tmp_path / 'no'} does not exist; a run is the folder that training prints"
    )
    assert refusal(lambda: find_run(tmp_path)) == (
        f"{tmp_path} is not a run: it has no run.json and recipe.toml; "
        "a run is the folder that `tellapart train` prints at its end"
    )


def test_a_missing_json_file_names_the_remedy(tmp_path):
    run = make(tmp_path / "run")
    assert refusal(lambda: run.read_json(run.evaluation_file)) == (
        f"run {run.path} has no evaluation.json; finish it with `tellapart train --resume "
        f"{run.path}`"
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[1]", b"3", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"],
    ids=["empty", "cut off", "binary", "a list", "a number", "nested deep", "a long number"],
)
def test_a_damaged_json_file_is_refused(tmp_path, content):
    run = make(tmp_path / "run")
    run.run_file.write_bytes(content)
    told = refusal(lambda: run.read_json(run.run_file))
    assert told.startswith(str(run.run_file))
    refusal(run.read_data_reference)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "mnist",
        {},
        {"source": "mnist"},
        {"source": "mnist", "name": "mnist", "fingerprint": "ab", "more": 1},
        {"source": 3, "name": "mnist", "fingerprint": "ab"},
    ],
)
def test_a_run_that_does_not_record_its_data_is_refused(tmp_path, data):
    run = make(tmp_path / "run")
    run.run_file.write_text(json.dumps({"format": 1, "data": data}))
    assert refusal(run.read_data_reference) == (
        f"{run.run_file} does not record which data the run used"
    )


def test_a_damaged_recipe_is_refused(tmp_path):
    run = make(tmp_path / "run")
    run.recipe_file.write_bytes(b"\xff")
    assert refusal(run.read_recipe).startswith(f"{run.recipe_file} cannot be read: ")
    run.recipe_file.write_text("[training]\nepochs = 0\n")
    with pytest.raises(ConfigError, match="epochs must be at least 1"):
        run.read_recipe()


def test_metrics_come_back_as_numbers_and_an_unmeasured_one_as_none(tmp_path):
    run = make(tmp_path / "run")
    rows = [{"epoch": 1, "loss": 0.1 + 0.2, "validation": None}, {"epoch": 2, "loss": 1e-20}]
    run.write_metrics(rows)
    assert run.read_metrics() == [
        {"epoch": 1.0, "loss": 0.1 + 0.2, "validation": None},
        {"epoch": 2.0, "loss": 1e-20, "validation": None},
    ]
    with run.metrics_file.open(newline="") as file:
        assert next(csv.reader(file)) == ["epoch", "loss", "validation"]
    assert b"\r" not in run.metrics_file.read_bytes()


@pytest.mark.parametrize("content", [b"epoch\nfirst\n", b"epoch\n1,2\n", b"epoch\n\xff\n"])
def test_damaged_metrics_are_refused(tmp_path, content):
    run = make(tmp_path / "run")
    run.metrics_file.write_bytes(content)
    assert refusal(run.read_metrics).startswith(f"{run.metrics_file} cannot be read: ")


def test_json_holds_no_number_that_json_does_not_know(tmp_path):
    run = make(tmp_path / "run")
    with pytest.raises(ValueError, match="JSON compliant"):
        run.write_json(run.evaluation_file, {"loss": float("nan")})


def test_a_source_is_a_catalogue_name_or_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "mnist").mkdir()
    assert source_of("mnist") == "mnist"
    assert source_of("pictures") == str(tmp_path.resolve() / "pictures")
    assert source_of("elsewhere") == "elsewhere"
    assert source_of(tmp_path / "mnist") == str(tmp_path.resolve() / "mnist")
