"""Places that cannot be written: every verb goes on, but the one whose purpose is to keep."""

import json

import numpy as np
import pytest
from PIL import Image

from tellapart.cli import run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two classes of images, and a file where the cache's folder should be."""
    for label, name in enumerate(("dark", "light")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for seed in range(10):
            noise = np.random.default_rng(100 * label + seed).integers(0, 128, (16, 16, 3))
            image = Image.fromarray((noise + 120 * label).astype(np.uint8))
            image.save(tmp_path / "set" / name / f"{seed}.png")
    (tmp_path / "file").touch()
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_captured(arguments, capsys):
    """The exit code, standard output and standard error of the command line."""
    return run(arguments), *capsys.readouterr()


def test_check_and_train_go_on_without_a_cache(folder, capsys):
    code, out, _ = run_captured(["data", "check", "set", "--json"], capsys)
    assert code == 0
    assert sum("TELLAPART_CACHE" in note for note in json.loads(out)["notes"]) == 1
    code, out, err = run_captured(["train", "set", "--set", "training.epochs=1", "--json"], capsys)
    assert code == 0
    assert 0 <= json.loads(out)["test_accuracy"] <= 1
    assert "TELLAPART_CACHE" in err


def test_prepare_reports_that_nothing_was_kept(folder, capsys):
    code, out, err = run_captured(["data", "prepare", "set"], capsys)
    assert code == 2
    assert out == ""
    assert "TELLAPART_CACHE" in err
    assert str(folder / "file" / "cache") in err.replace("\n", "")
