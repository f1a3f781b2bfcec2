import json
import sys

import pytest

import leaderboard
import protocol
from leaderboard import (
    BOARDS,
    COLD,
    PEERS,
    Task,
    choose_rows,
    has_keras,
    make_rows,
    plan_runs,
    render,
    without_keras,
    write_arrays,
)

KNOWN = ("fast", "standard", "tiny", "best-objects", "accurate-objects")
MNIST, FASHION = BOARDS["mnist"], BOARDS["fashion-mnist"]


def test_all_rows_are_measured_where_none_is_named():
    assert choose_rows(MNIST, None, None, KNOWN) == ["fast", "tiny", *PEERS]


def test_each_data_set_has_rows_of_its_own():
    rows = ["accurate-objects", "best-objects", "tutorial-loop"]
    assert choose_rows(FASHION, None, None, KNOWN) == rows


def test_named_rows_leave_the_others_alone():
    assert choose_rows(MNIST, ["fast"], None, KNOWN) == ["fast"]
    assert choose_rows(MNIST, None, ["keras-example"], KNOWN) == ["keras-example"]
    assert choose_rows(MNIST, ["fast", "fast"], ["tutorial-loop"], KNOWN) == [
        "fast",
        "tutorial-loop",
    ]
    assert choose_rows(MNIST, [], None, KNOWN) == []


def test_the_loop_is_always_timed_beside_the_rows():
    assert plan_runs(["fast", "tiny"], None, 3) == {
        "tutorial-loop": 3,
        "fast": 10,
        "tiny": 5,
        "fast" + COLD: 10,
    }


def test_the_loops_own_row_is_the_yardstick():
    assert plan_runs(["tutorial-loop", "fast"], 2, 3)["tutorial-loop"] == 2


def run_of(seconds):
    return {
        "num_parameters": 1,
        "num_epochs": 1,
        "precision": "fp32",
        "train_seconds": seconds,
        "test_accuracy": 0.99,
    }


ENVIRONMENT = {
    "processor": "AMD EPYC",
    "cores": 2,
    "threads": 2,
    "python": "3.11.7",
    "torch": "2.13.0",
    "tellapart": "0.1.0",
    "commit": "abc",
    "command": "python benchmarks/leaderboard.py",
}


def test_only_rows_that_were_asked_for_are_made():
    cold = {**run_of(9.0), "process_seconds": 20.0}
    runs = {"tutorial-loop": [run_of(30.0)], "fast": [run_of(10.0)], "fast" + COLD: [cold]}
    rows = make_rows(["fast"], runs, ENVIRONMENT, 0.99)
    assert list(rows) == ["fast"]
    assert rows["fast"]["times_tutorial_loop"] == 3.0
    assert rows["fast"]["cold_start_seconds"]["mean"] == 20.0


def test_both_readmes_are_written_from_the_stored_file(tmp_path, monkeypatch):
    monkeypatch.setattr(protocol, "RESULTS", tmp_path)
    monkeypatch.setattr(leaderboard, "ROOT", tmp_path)
    for name in ("README.md", "README.zh-CN.md"):
        marks = "<!-- leaderboard:begin -->\nstale\n<!-- leaderboard:end -->"
        (tmp_path / name).write_text(f"before\n{marks}\nafter\n", "utf-8")
    rows = make_rows(
        ["fast"], {"tutorial-loop": [run_of(30.0)], "fast": [run_of(10.0)]}, ENVIRONMENT, 0.99
    )
    protocol.write_results("leaderboard", {"mnist": rows})
    render()
    english, chinese = (
        (tmp_path / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md")
    )
    assert "times as fast as the tutorials' loop" in english
    assert "测试准确率" in chinese
    for text in (english, chinese):
        assert "| **`fast`**, fp32 | 1 | 1 | 99.00 (n = 1) | 10.0 | 3.0 |" in text
        assert "stale" not in text
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")


def test_the_marks_stand_in_both_readmes():
    for name in leaderboard.DOCUMENTS:
        text = (leaderboard.ROOT / name).read_text("utf-8")
        for board in BOARDS.values():
            assert text.count(f"<!-- {board.block}:begin -->") == 1
            assert text.count(f"<!-- {board.block}:end -->") == 1


def test_an_unknown_recipe_is_reported_before_anything_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["leaderboard.py", "--recipes", "fats"])
    monkeypatch.setattr(leaderboard, "measure", lambda *_: pytest.fail("measured"))
    assert leaderboard.main() == 2
    assert "unknown recipe 'fats'; did you mean 'fast'?" in capsys.readouterr().err


def test_a_python_without_keras_is_told_how_to_get_it(monkeypatch):
    assert without_keras("python3") == (
        "keras-example is left as it is stored: python3 cannot import keras and jax; install them "
        "with `python3 -m pip install keras jax`, or name a Python that has them in $KERAS_PYTHON"
    )


def test_keras_is_looked_for_in_the_python_that_is_to_run_it(tmp_path):
    python = tmp_path / "python"
    for answer, found in (("0", True), ("1", False)):
        python.write_text(f"#!/bin/sh\nexit {answer}\n")
        python.chmod(0o755)
        assert has_keras(str(python)) is found


def test_keras_gets_the_arrays_under_its_own_names(tmp_path):
    import numpy as np

    write_arrays(tmp_path / "mnist.npz", Task("mnist-sample", None, None))
    with np.load(tmp_path / "mnist.npz") as arrays:
        shapes = {name: arrays[name].shape for name in arrays}
        assert arrays["x_train"].dtype == np.uint8
    assert shapes == {
        "x_train": (4000, 28, 28),
        "y_train": (4000,),
        "x_test": (1000, 28, 28),
        "y_test": (1000,),
    }


@pytest.mark.parametrize(
    "a_try", [["--data", "mnist-sample"], ["--epochs", "1"], ["--print-only"]], ids=" ".join
)
def test_a_try_stores_nothing(monkeypatch, capsys, tmp_path, a_try):
    monkeypatch.setattr(sys, "argv", ["leaderboard.py", "--recipes", "fast", *a_try])
    runs = {name: [{**run_of(10.0), "process_seconds": 1.0}] for name in ("tutorial-loop", "fast")}
    monkeypatch.setattr(leaderboard, "measure", lambda *_: {**runs, "fast" + COLD: runs["fast"]})
    monkeypatch.setattr(protocol, "RESULTS", tmp_path)
    monkeypatch.setattr(leaderboard, "RESULTS", tmp_path)
    monkeypatch.setattr(leaderboard, "render", lambda: None)
    assert leaderboard.main() == 0
    assert "| **`fast`**, fp32 |" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_measured_rows_are_stored_beside_the_old_ones(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["leaderboard.py", "--recipes", "fast", "--seeds", "1"])
    runs = {name: [{**run_of(10.0), "process_seconds": 1.0}] for name in ("tutorial-loop", "fast")}
    monkeypatch.setattr(leaderboard, "measure", lambda *_: {**runs, "fast" + COLD: runs["fast"]})
    monkeypatch.setattr(protocol, "RESULTS", tmp_path)
    monkeypatch.setattr(leaderboard, "RESULTS", tmp_path)
    monkeypatch.setattr(leaderboard, "render", lambda: None)
    stored = {"tiny": [run_of(5.0)], "tutorial-loop": [run_of(9.0)]}
    old = make_rows(["tiny"], stored, ENVIRONMENT, 0.99)
    protocol.write_results("leaderboard", {"mnist": old})
    assert leaderboard.main() == 0
    stored = json.loads((tmp_path / "leaderboard.json").read_text("utf-8"))["mnist"]
    assert list(stored) == ["tiny", "fast"]
    assert stored["tiny"] == old["tiny"]
    assert stored["fast"]["environment"]["command"].endswith("--recipes fast --seeds 1")


def test_fashion_mnist_is_stored_beside_mnist(monkeypatch, capsys, tmp_path):
    arguments = ["--data", "fashion-mnist", "--recipes", "fast", "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", ["leaderboard.py", *arguments])
    runs = {name: [{**run_of(10.0), "process_seconds": 1.0}] for name in ("tutorial-loop", "fast")}
    monkeypatch.setattr(leaderboard, "measure", lambda *_: {**runs, "fast" + COLD: runs["fast"]})
    monkeypatch.setattr(protocol, "RESULTS", tmp_path)
    monkeypatch.setattr(leaderboard, "RESULTS", tmp_path)
    monkeypatch.setattr(leaderboard, "ROOT", tmp_path)
    for name in leaderboard.DOCUMENTS:
        blocks = (f"<!-- {b.block}:begin -->\n<!-- {b.block}:end -->" for b in BOARDS.values())
        (tmp_path / name).write_text("\n".join(blocks), "utf-8")
    old = make_rows(["tiny"], {"tiny": [run_of(5.0)], **runs}, ENVIRONMENT, 0.99)
    protocol.write_results("leaderboard", {"mnist": old})
    assert leaderboard.main() == 0
    stored = protocol.read_results("leaderboard")
    assert {data: list(rows) for data, rows in stored.items()} == {
        "mnist": ["tiny"],
        "fashion-mnist": ["fast"],
    }
    text = (tmp_path / "README.md").read_text("utf-8")
    assert "All of Fashion-MNIST, the" in text
    assert "`tellapart train fashion-mnist --recipe NAME`" in text
    assert "to 90.0 %, s" in text
