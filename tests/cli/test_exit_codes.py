"""0 done, 1 our fault, 2 the request is wrong, 130 interrupted; and the message of each."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tellapart import __version__, cli
from tellapart.cli import commands
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.train import train

QUICK = ("--set", "epochs=1", "--set", "model.network=single-conv", "--threads", "1")


def commands_below(app, path=()):
    for name in app:
        if not name.startswith("-"):
            yield (*path, name)
            yield from commands_below(app[name], (*path, name))


ALL_COMMANDS = tuple(commands_below(commands.app))


def app_of(command):
    app = commands.app
    for name in command:
        app = app[name]
    return app


def test_there_are_commands():
    assert {("train",), ("data", "fetch"), ("recipes", "copy")} < set(ALL_COMMANDS)


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_help_and_every_argument_a_help_text(tellapart, command):
    outcome = tellapart(*command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: tellapart {' '.join(command)}")
    _, _, panels = outcome.out.partition("╭")
    rows = [line.strip("│ ") for line in panels.splitlines()]
    app = app_of(command)
    if app.default_command is None:  # a group of commands
        arguments = [name for name in app if not name.startswith("-")]
    else:
        collected = app.assemble_argument_collection()
        # A group of options, such as those of the machine, is no option itself.
        arguments = [entry.names[0] for entry in collected if not entry.children]
    assert arguments or command[-1] == "list"
    for name in arguments:
        [row] = [row for row in rows if row.removeprefix("* ").strip().startswith(f"{name} ")]
        assert len(row.removeprefix("* ").split()) > 3, f"{name} has no help text"


def test_the_commands_are_listed_with_what_they_do(tellapart):
    for arguments in ((), ("--help",)):
        outcome = tellapart(*arguments)
        assert outcome.code == 0
        for name in ("train", "evaluate", "predict", "reproduce", "data", "recipes"):
            assert f"│ {name} " in outcome.out
    assert tellapart("--version").out == f"{__version__}\n"


REFUSALS = {
    "train bogus": "no data set is called 'bogus', and no file or folder was found there",
    "train --recipe nonesuch": "unknown recipe 'nonesuch'; known: ",
    "train --recipe gone.toml": "recipe file 'gone.toml' does not exist",
    "train --set epoch=3": "unknown recipe key 'epoch'; did you mean 'training.epochs'?",
    "train --set epochs": "--set takes KEY=VALUE, got 'epochs'; e.g. epochs=5",
    "train --set epochs=0": "--set: epochs must be at least 1, got 0",
    "train --set learning_rate=-1": "--set: learning_rate must be greater than 0, got -1.0",
    "train --set batch_size=4001": "batch_size 4001 is larger than the train split",
    "train --set patience=3": "patience 3 needs a validation split to watch",
    "train --group-by (x)": "data.group_by '(x)' finds groups in the paths of image files",
    "data check mnist-sample --group-by (x)": "mnist-sample holds arrays without paths; leave it",
    "train --group-by patient(": "group_by must be a regular expression, got 'patient('",
    "train --device tpu": "unknown device 'tpu'; use auto, cpu, cuda, cuda:0 or mps",
    "train --device cuda:99": "device 'cuda:99' is not available on this machine",
    "train --threads 0": "threads must be at least 1, got 0",
    "train --threads many": 'Invalid value for --threads: unable to convert "many" into int',
    "train --seed -1": "seed must be at least 0, got -1",
    "train --resume nowhere": "run nowhere does not exist",
    "train --resume .": ". is not a run: it has no run.json and recipe.toml",
    "train --out file": "cannot make the run folder file: ",
    "train --out file/run": "cannot make the run folder file/run: ",
    "train --out full": "full is not empty and is left as it is; choose another --out",
    "train --data-dir gone mnist": "the data folder gone does not exist",
    "train file": "file is a file of another kind; give ",
    "train full": "full holds 1 file, none of them an image by its name (.txt 1)",
    "evaluate nowhere": "run nowhere does not exist",
    "evaluate full": "full is not a run: it has no run.json and recipe.toml",
    "evaluate RUN bogus": "no data set is called 'bogus'",
    "evaluate RUN --split validation": "has no 'validation' split; it has: train, test",
    "evaluate RUN --split nonsense": 'Invalid value "nonsense" for --split. Choose from: "test"',
    "predict RUN": "no image is given",
    "predict RUN gone.png": "gone.png: no such file or folder; check the path",
    "predict RUN gone*.png": "gone*.png: the pattern matches no image; check it",
    "predict file full": "file is damaged, cut off, or no safetensors file",
    "predict full file": "full is not a run",
    "reproduce bogus": "'bogus' is unknown; reproduce knows: tutorial-",
    "reproduce standard": "'standard' is a recipe, but not one of the tutorials'",
    "data fetch bogus": "no data set is called 'bogus'",
    "data list extra": "cannot make sense of 'extra'; see `tellapart data list --help`",
    "recipes show nonesuch": "unknown recipe 'nonesuch'",
    "recipes copy standard": "requires an argument; see `tellapart recipes copy --help`",
    "recipes copy standard gone/x.toml": "cannot write gone/x.toml: No such file or directory",
    "bogus": 'Unknown command "bogus". Available commands: ',
    "train --rezume x": "Did you mean --resume? See `tellapart train --help`",
    "train --set": "parameter --set requires an argument; see `tellapart train --help`",
    "evaluate": "parameter RUN requires an argument; see `tellapart evaluate --help`",
}


@pytest.mark.parametrize("command", REFUSALS)
def test_a_wrong_request_is_refused_and_leaves_nothing_behind(refused, trained, command):
    Path("file").write_text("dear", "utf-8")
    Path("full").mkdir()
    Path("full/letter.txt").write_text("dear", "utf-8")
    words = [str(trained) if word == "RUN" else word for word in command.split()]
    message = refused(*words)
    assert REFUSALS[command] in message
    assert sorted(str(path) for path in Path().rglob("*")) == ["file", "full", "full/letter.txt"]


@pytest.mark.parametrize(
    "command", ["train NAME", "train --resume NAME", "train --out NAME", "evaluate NAME"]
)
def test_a_name_that_no_file_system_takes(refused, command):
    name = "n" * 300
    assert "File name too long" in refused(*command.replace("NAME", name).split())
    assert not any(Path().iterdir())


@pytest.mark.parametrize(
    ("option", "difference"),
    [
        (("--seed", "4"), "training.seed: 0 -> 4"),
        (("--set", "epochs=2"), "training.epochs: 1 -> 2"),
        (("--recipe", "tutorial-lenet"), 'model.network: "single-conv" -> "lenet"'),
        (("mnist",), "is trained on 'mnist-sample', not on 'mnist'"),
        (("--out", "other"), "leave out --out other"),
    ],
)
def test_resume_with_something_else_shows_the_difference(refused, trained, option, difference):
    before = {path: path.read_bytes() for path in trained.iterdir()}
    assert difference in refused("train", "--resume", trained, *option)
    assert {path: path.read_bytes() for path in trained.iterdir()} == before
    assert not any(Path().iterdir())


def test_data_that_changed_is_refused_by_resume_and_evaluate(refused, tellapart, digits):
    folder = Path(shutil.copytree(digits, "mine"))
    assert tellapart("train", folder, *QUICK, "--out", "run").code == 0
    labels = folder / "train-labels-idx1-ubyte"
    content = bytearray(labels.read_bytes())
    content[-1] = 9 - content[-1]
    labels.write_bytes(content)
    before = {path: path.read_bytes() for path in Path("run").iterdir()}
    assert "the data of run run has changed since it began" in refused("train", "--resume", "run")
    assert "the data of run run has changed since it was trained" in refused("evaluate", "run")
    assert {path: path.read_bytes() for path in Path("run").iterdir()} == before


@pytest.mark.parametrize(
    "name", ["model.safetensors", "training_state.safetensors", "recipe.toml", "run.json"]
)
@pytest.mark.parametrize("damage", ["empty", "half", "noise", "a folder"])
def test_a_damaged_run_never_shows_a_traceback(tellapart, trained, name, damage):
    run = Path(shutil.copytree(trained, "run"))
    content = (run / name).read_bytes()
    (run / name).unlink()
    if damage == "a folder":
        (run / name).mkdir()
    else:
        half = content[: len(content) // 2]
        (run / name).write_bytes({"empty": b"", "half": half, "noise": b"\xfe\x00" * 99}[damage])
    for command in (("evaluate", run, "--threads", "1"), ("predict", run, ".")):
        outcome = tellapart(*command)
        # Evaluating needs no training state, and the beginning of a recipe may be a recipe.
        if outcome.code != 0 or name in ("model.safetensors", "run.json"):
            assert (outcome.code, outcome.out) == (2, "")
            assert outcome.err.startswith("tellapart: ")
    outcome = tellapart("train", "--resume", run, "--threads", "1")
    # A classifier file is written anew from the training state; without the rest nothing is.
    can_be_mended = name == "model.safetensors" and damage != "a folder"
    assert outcome.code == (0 if can_be_mended else 2)


def fail_to_sync(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_reported_and_the_old_files_stay(tellapart, trained, monkeypatch, reason):
    run = Path(shutil.copytree(trained, "run"))
    before = {path: path.read_bytes() for path in run.iterdir()}

    def full(_):
        raise fail_to_sync(reason)

    monkeypatch.setattr(os, "fsync", full)
    outcome = tellapart("evaluate", run, "--threads", "1")
    assert outcome.code == 2
    assert f"cannot write run/report.html: {os.strerror(reason)}" in outcome.err
    assert "accuracy  " in outcome.out  # the figures are printed in any case
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_no_permission(refused, tellapart, monkeypatch):
    def forbid(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "runs")

    monkeypatch.setattr(Path, "mkdir", forbid)
    assert "runs: Permission denied" in refused("train", *QUICK)


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 2), (errno.EROFS, 2), (errno.ENAMETOOLONG, 2)]
)
def test_what_the_system_refuses_anywhere_is_one_line(refused, monkeypatch, number, code):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr("tellapart.config.recipe_names", fail)
    assert refused("recipes", "list") == f"{os.strerror(number)}: some/file"


def test_a_fault_of_ours_is_not_hidden(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("tellapart.config.recipe_names", fail)
    with pytest.raises(ZeroDivisionError):
        cli.run(["recipes", "list"])


def test_an_interrupt_before_there_is_a_run(tellapart, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tellapart.config.recipe_names", interrupt)
    outcome = tellapart("recipes", "list")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "tellapart: interrupted\n")


def run_program(*arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tellapart", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# Long enough to be stopped in.
LONG = ("epochs=40", "model.network=single-conv", "batch_size=10")


@pytest.fixture(scope="module")
def uninterrupted(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    return train(digits, settings=LONG, out=out, session=Session(threads=1))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_the_program_stopped_by_a_signal_goes_on_where_it_was(
    tellapart, digits, uninterrupted, stop
):
    options = [word for setting in LONG for word in ("--set", setting)]
    with run_program("train", str(digits), *options, "--threads", "1", "--out", "a run") as program:
        printed = ""
        while "epoch  3/40" not in printed:
            printed += (line := program.stderr.readline())
            assert line, printed
        program.send_signal(stop)
        out, err = program.communicate(timeout=60)
    assert out == ""
    assert "Traceback" not in err
    assert not list(Path("a run").glob("model*"))
    num_saved = len(RunFolder(Path("a run")).read_metrics())
    assert 3 <= num_saved < 40
    if stop == signal.SIGINT:
        assert program.returncode == 130
        assert err.endswith(
            "tellapart: interrupted; resume with `tellapart train --resume 'a run'`\n"
        )
    resumed = tellapart("train", "--resume", "a run", "--threads", "1", "--json")
    assert resumed.code == 0
    assert resumed.json["weights_sha256"] == uninterrupted.weights_sha256
    assert [row["epoch"] for row in RunFolder(Path("a run")).read_metrics()] == [*range(1, 41)]


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe that closes")
def test_a_reader_that_has_read_enough():
    with run_program("recipes", "show") as program:
        program.stdout.close()
        assert program.wait(60) == 0
        assert program.stderr.read() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_name_that_cannot_be_shown_is_shown_as_its_bytes(uninterrupted, tmp_path, arguments):
    picture = os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller.png")
    Image.new("L", (28, 28), 255).save(picture)
    # What a pipe gets where nothing is set; a terminal may be more lenient.
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    with run_program("predict", str(uninterrupted.run), picture, *arguments, env=strict) as program:
        out, err = program.communicate(timeout=60)
    assert (program.returncode, err) == (0, "")
    assert r"M\udcfcller.png" in out
    if arguments:
        assert os.fsencode(json.loads(out)["predictions"][0]["path"]) == os.fsencode(picture)
