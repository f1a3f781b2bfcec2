"""A new run takes no folder that is in use, and leaves nothing behind when it cannot be made."""

import os

import pytest

from tellapart.config import Recipe, load_recipe
from tellapart.errors import RunError
from tellapart.runs.creation import create_run
from tellapart.runs.folder import DataReference

DATA = DataReference("mnist", "mnist", "ab" * 32)


def make(path, recipe=None, data=DATA):
    return create_run(path, recipe or load_recipe("tutorial-lenet"), data, {"threads": 1})


def refusal(action):
    with pytest.raises(RunError) as caught:
        action()
    return str(caught.value)


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("dear")
    told = refusal(lambda: make(tmp_path))
    assert told == (
        f"{tmp_path} is not empty and is left as it is; choose another --out, "
        f"or continue a run in it with --resume {tmp_path}"
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_new_or_empty_folder_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    assert make(tmp_path / "empty").path == tmp_path / "empty"
    assert make(tmp_path / "a" / "b").run_file.exists()


def test_a_file_in_the_way_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        told = refusal(lambda path=path: make(path))
        assert told.startswith(f"cannot make the run folder {path}: ")
        assert told.endswith("; choose another --out")


def test_a_folder_that_may_not_be_written_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "no permission to write; choose another --out" in refusal(lambda: make(tmp_path / "a"))


@pytest.mark.parametrize("failing", [0, 1, 2], ids=["environment.json", "the recipe", "run.json"])
@pytest.mark.parametrize("place", [None, "new", "empty"])
def test_a_full_disk_leaves_no_folder_in_the_way(tmp_path, monkeypatch, failing, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    written = []

    def write(path, content):
        if len(written) == failing:
            raise RunError(f"cannot write {path}: No space left on device")
        written.append(path)
        path.write_text(content, "utf-8")

    monkeypatch.setattr("tellapart.runs.folder.write_whole", write)
    monkeypatch.setattr("tellapart.runs.creation.write_whole", write)
    path = tmp_path / place if place else None
    assert "No space left" in refusal(lambda: make(path))
    assert len(written) == failing
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    assert list(tmp_path.glob("runs/*")) == []


def test_runs_without_a_folder_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [make(None).path.as_posix() for _ in range(3)]
    assert names == [f"runs/mnist-tutorial-lenet-{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("name", ["../../evil", "/etc/x", "a\0b", "a b\n", "..\\up"])
def test_a_name_cannot_lead_out_of_the_folder_of_runs(tmp_path, monkeypatch, name):
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    run = make(None, Recipe(name=name), DataReference("d", name, "00"))
    assert run.path.resolve().parent == inside / "runs"
    assert sorted(path.name for path in tmp_path.rglob("recipe.toml")) == ["recipe.toml"]
    assert run.read_recipe().name == name


def test_what_stands_in_the_way_of_the_folder_of_runs_is_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("")
    assert "runs" in refusal(lambda: make(None))
    (tmp_path / "runs").unlink()
    (tmp_path / "runs").symlink_to(tmp_path / "nowhere")
    assert "runs" in refusal(lambda: make(None))


def test_a_name_too_long_for_the_file_system_is_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = refusal(lambda: make(None, Recipe(name="x" * 300)))
    assert told.startswith("cannot make the run folder runs/mnist-xxx")
    assert told.endswith("give one with --out")
