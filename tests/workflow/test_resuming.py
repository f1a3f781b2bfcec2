"""A run that was stopped anywhere ends, once resumed, on the weights of one that never was."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
from pathlib import Path

import pytest
import torch

from tellapart.config import load_recipe
from tellapart.errors import ClassifierFileError, ConfigError, RunError
from tellapart.models.checkpoint import load_tensors, save_tensors
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.train import train

PLAIN = ("epochs=3", "batch_size=50", "model.network=single-conv")
NESTEROV = (
    "epochs=3",
    "batch_size=50",
    "model.network=two-conv-5x5",
    "optimizer=sgd",
    "optimizer.momentum=0.9",
    "optimizer.nesterov=true",
    "schedule=step",
    "step_epochs=1",
)
EARLY_STOPPING = (
    "epochs=20",
    "batch_size=50",
    "model.network=lenet",
    "patience=2",
    "validation_fraction=0.3",
    "learning_rate=0.01",
    "schedule=constant",
    "label_smoothing=0",
)
VARIED = (
    "epochs=3",
    "batch_size=50",
    "model.network=lenet",
    "averaging.decay=0.9",
    "augmentation.shift_pixels=2",
    "augmentation.rotation_degrees=10",
    "augmentation.mixup_alpha=0.3",
)
# Between them: memory of every optimiser, kernels that are laid out channels last, the batch
# statistics of norms, dropout's generator, schedules, the best weights of early stopping, the
# average of the weights, and what augmentation draws.
RECIPES = {
    "plain": PLAIN,
    "dropout": ("epochs=2", "batch_size=100", "model.network=dropout", "optimizer=adam"),
    "residual": ("epochs=2", "batch_size=100", "schedule=cosine"),
    "momentum": NESTEROV,
    "early stopping": EARLY_STOPPING,
    "varied": VARIED,
}


@pytest.mark.parametrize(
    ("name", "threads"), [*((name, 1) for name in RECIPES), ("plain", 2), ("dropout", 2)]
)
def test_interrupted_after_any_epoch(digits, name, threads, interrupt_after, require_same_run):
    settings = RECIPES[name]
    reference = train(digits, settings=settings, out="whole", session=Session(threads=threads))
    # Two threads on cores that others use wait for one another: one stop is enough there.
    for epoch in (0, 1, reference.num_epochs) if threads == 1 else (1,):
        with pytest.raises(KeyboardInterrupt):
            train(
                digits,
                settings=settings,
                out=f"stopped-{epoch}",
                session=Session(threads=threads, callbacks=interrupt_after(epoch)),
            )
        resumed = train(resume=f"stopped-{epoch}", session=Session(threads=threads))
        require_same_run(resumed, reference)


def test_early_stopping_ends_on_the_best_epoch_and_not_on_the_last(digits):
    """Otherwise the test above would say nothing about the best weights."""
    result = train(digits, settings=EARLY_STOPPING, out="whole", session=Session(threads=1))
    rows = RunFolder(result.run).read_metrics()
    losses = [row["validation_loss"] for row in rows]
    best = losses.index(min(losses))
    assert len(rows) < 20
    assert best == len(rows) - 1 - 2
    assert result.validation_accuracy == rows[best]["validation_accuracy"]


def test_interrupted_after_every_epoch(digits, interrupt_after, require_same_run):
    reference = train(digits, settings=PLAIN, out="whole", session=Session(threads=1))
    with pytest.raises(KeyboardInterrupt):
        train(
            digits,
            settings=PLAIN,
            out="stopped",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    for epoch in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            train(resume="stopped", session=Session(threads=1, callbacks=interrupt_after(epoch)))
    require_same_run(train(resume="stopped", session=Session(threads=1)), reference)


def test_threads_come_from_the_run(digits, interrupt_after, require_same_run):
    """A run that began on one thread goes on on one, whatever this machine has."""
    reference = train(digits, settings=PLAIN, out="whole", session=Session(threads=1))
    for epoch in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            train(
                digits,
                settings=PLAIN,
                out=f"stopped-{epoch}",
                session=Session(threads=1, callbacks=interrupt_after(epoch)),
            )
        torch.set_num_threads(2)
        warnings = Warnings()
        resumed = train(resume=f"stopped-{epoch}", session=Session(callbacks=warnings))
        require_same_run(resumed, reference)
        assert torch.get_num_threads() == 2
        assert not warnings.given


class Warnings(Callbacks):
    def __init__(self):
        self.given = []

    def warn(self, text):
        self.given.append(text)


def test_an_interrupt_names_the_command_that_resumes(digits, interrupt_after):
    with pytest.raises(KeyboardInterrupt) as raised:
        train(
            digits,
            settings=PLAIN,
            out="a run",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    assert raised.value.__notes__ == ["resume with `tellapart train --resume 'a run'`"]


def test_an_interrupt_in_the_middle_of_a_write_waits_for_its_end(
    digits, monkeypatch, epochs_saved_in, require_same_run
):
    reference = train(digits, settings=PLAIN, out="whole", session=Session(threads=1))
    sync = os.fsync

    def interrupt_state(descriptor):
        if list(Path("stopped").glob(".training_state.*.part")):
            signal.raise_signal(signal.SIGINT)
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt_state)
        with pytest.raises(KeyboardInterrupt):
            train(digits, settings=PLAIN, out="stopped", session=Session(threads=1))
    assert epochs_saved_in(Path("stopped")) == 1
    assert len(RunFolder(Path("stopped")).read_metrics()) == 1
    assert not list(Path("stopped").glob(".*"))
    require_same_run(train(resume="stopped", session=Session(threads=1)), reference)


def test_killed_at_every_sync_to_the_disk(digits, workshop, require_same_run):
    """Each file is cut in half while it is written, and each write is cut off from the next."""
    reference = train(digits, settings=PLAIN, out="whole", session=Session(threads=1))
    refused = 0
    for number in itertools.count(1):
        run = Path(f"killed-{number}")
        doomed = workshop.start(data=digits, settings=PLAIN, out=run, threads=1, die_at_sync=number)
        doomed.join()
        if doomed.exitcode == 0:
            break
        assert doomed.exitcode == -signal.SIGKILL
        if not (run / "run.json").exists():
            refused += 1
            with pytest.raises(RunError, match=r"is not a run: it has no run\.json"):
                train(resume=run)
            continue
        require_same_run(train(resume=run, session=Session(threads=1)), reference)
    # Three files make a run, with two syncs each; after them there is much more to be killed in.
    assert refused == 5
    assert number > 20


@pytest.mark.parametrize(("name", "threads"), [("dropout", 1), ("early stopping", 1), ("plain", 2)])
def test_killed_again_and_again_at_random_moments(
    digits, workshop, name, threads, require_same_run
):
    settings = RECIPES[name]
    reference = train(digits, settings=settings, out="whole", session=Session(threads=threads))
    dice = random.Random(f"{name} {threads}")
    arguments = {"data": digits, "settings": settings, "out": "killed", "threads": threads}
    for _ in range(4):
        process = workshop.start(**arguments)
        process.join(dice.uniform(0.2, 0.2 + reference.total_seconds))
        process.kill()
        process.join()
        if Path("killed/run.json").exists():
            arguments = {"resume": "killed", "threads": threads}
        else:
            shutil.rmtree("killed", ignore_errors=True)
    if "resume" not in arguments:
        train(**arguments)
    require_same_run(train(resume="killed", session=Session(threads=threads)), reference)


def test_a_finished_run_is_repeated_and_not_trained_again(digits, monkeypatch):
    first = train(digits, settings=PLAIN, out="whole", session=Session(threads=1))
    files = {path.name: path.read_bytes() for path in Path("whole").iterdir()}

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr("tellapart.training.trainer.Trainer._train_epoch", refuse)
    again = train(resume="whole", session=Session(threads=1))
    assert again.weights_sha256 == first.weights_sha256
    assert again.test == first.test
    assert again.train_seconds == first.train_seconds
    assert {path.name: path.read_bytes() for path in Path("whole").iterdir()} == files


def test_resumed_from_another_working_directory(
    digits, make_digits, tmp_path, monkeypatch, interrupt_after, require_same_run
):
    make_digits(tmp_path / "here" / "digits")
    monkeypatch.chdir(tmp_path / "here")
    reference = train("digits", settings=PLAIN, out="whole", session=Session(threads=1))
    with pytest.raises(KeyboardInterrupt):
        train(
            "digits",
            settings=PLAIN,
            out="stopped",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    resumed = train(resume="../here/stopped", session=Session(threads=1))
    monkeypatch.chdir(tmp_path / "here")
    require_same_run(resumed, reference)


@pytest.fixture
def stopped(digits, interrupt_after):
    with pytest.raises(KeyboardInterrupt):
        train(
            digits,
            settings=PLAIN,
            out="stopped",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    return RunFolder(Path("stopped"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"settings": ["learning_rate=0.5"]}, r"optimizer\.learning_rate: 0\.004 -> 0\.5"),
        ({"settings": ["epochs=4", "batch_size=9"]}, r"epochs: 3 -> 4; training\.batch_size: 50"),
        ({"seed": 7}, r"training\.seed: 0 -> 7"),
        ({"recipe": "tutorial-lenet"}, r'model\.network: "single-conv" -> "lenet"'),
        ({"recipe": load_recipe("standard")}, r"training\.batch_size: 50 -> "),
        ({"data": "mnist-sample"}, r"is trained on '.*digits', not on 'mnist-sample'"),
        ({"out": "elsewhere"}, r"in stopped itself; leave out --out elsewhere"),
    ],
)
def test_refuses_to_go_on_differently(stopped, changed, message):
    before = stopped.state_file.read_bytes()
    with pytest.raises(RunError, match=message):
        train(resume=stopped.path, **changed, session=Session(threads=1))
    assert stopped.state_file.read_bytes() == before
    assert not Path("elsewhere").exists()


def test_accepts_what_agrees(digits, stopped, require_same_run):
    reference = train(digits, settings=PLAIN, out="whole", session=Session(threads=1))
    resumed = train(
        digits, recipe="small-data", settings=PLAIN, seed=0, out="stopped", resume="stopped"
    )
    require_same_run(resumed, reference)


def test_refuses_data_that_changed(tmp_path, make_digits, interrupt_after):
    folder = make_digits(tmp_path / "mine")
    with pytest.raises(KeyboardInterrupt):
        train(
            folder,
            settings=PLAIN,
            out="stopped",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    make_digits(folder, first=1)
    with pytest.raises(RunError, match=r"has changed since it began: fingerprint .* -> .*; put"):
        train(resume="stopped", session=Session(threads=1))
    make_digits(folder)
    assert train(resume="stopped", session=Session(threads=1)).num_epochs == 3


def test_refuses_data_that_is_gone(tmp_path, make_digits, interrupt_after):
    folder = make_digits(tmp_path / "mine")
    with pytest.raises(KeyboardInterrupt):
        train(
            folder,
            settings=PLAIN,
            out="stopped",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    shutil.rmtree(folder)
    with pytest.raises(RunError, match=r"is gone: there is no .*mine; if it was moved"):
        train(resume="stopped", session=Session(threads=1))


def test_an_edited_recipe_is_held_against_the_training_state(stopped):
    text = stopped.recipe_file.read_text("utf-8")
    stopped.recipe_file.write_text(text.replace("batch_size = 50", "batch_size = 40"), "utf-8")
    with pytest.raises(RunError, match=r"of its training state.*batch_size: 50 -> 40"):
        train(resume="stopped", session=Session(threads=1))


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_refuses_a_damaged_training_state(stopped, damage):
    content = stopped.state_file.read_bytes()
    damaged = {"cut": content[: len(content) // 2], "garbage": b"\x07" * 999, "empty": b""}
    stopped.state_file.write_bytes(damaged[damage])
    with pytest.raises(ClassifierFileError, match="is damaged, cut off, or no safetensors file"):
        train(resume="stopped", session=Session(threads=1))


@pytest.mark.parametrize("key", ["recipe", "fingerprint", "machine"])
def test_refuses_a_training_state_that_lacks_something(stopped, key):
    tensors, header = load_tensors(stopped.state_file)
    del header[key]
    save_tensors(stopped.state_file, tensors, header)
    with pytest.raises(RunError, match="is not a training state; train a new run"):
        train(resume="stopped", session=Session(threads=1))


def test_refuses_a_training_state_of_other_data(stopped):
    tensors, header = load_tensors(stopped.state_file)
    save_tensors(stopped.state_file, tensors, header | {"fingerprint": "0" * 64})
    with pytest.raises(RunError, match="belongs to other data; train a new run"):
        train(resume="stopped", session=Session(threads=1))


def test_refuses_a_training_state_of_another_network(stopped):
    tensors, header = load_tensors(stopped.state_file)
    tensors["weights/conv1.weight"] = torch.zeros(3, 1, 3, 3)
    save_tensors(stopped.state_file, tensors, header)
    with pytest.raises(ConfigError, match="the training state does not fit this recipe"):
        train(resume="stopped", session=Session(threads=1))


def test_warns_where_the_last_digits_will_differ(stopped):
    class Listener(Callbacks):
        def __init__(self):
            self.warnings = []
            self.notes = []

        def warn(self, text):
            self.warnings.append(text)

        def note(self, text):
            self.notes.append(text)

    listener = Listener()
    train(resume="stopped", session=Session(threads=2, callbacks=listener))
    assert listener.notes[0] == "continues after epoch 1 of 3"
    [warning] = listener.warnings
    assert "threads 1 -> 2" in warning
    assert "its weights will differ in the last digits" in warning


def test_refuses_what_is_no_run(tmp_path, digits):
    with pytest.raises(RunError, match="run nowhere does not exist"):
        train(resume="nowhere")
    with pytest.raises(RunError, match=r"it has no run\.json and recipe\.toml"):
        train(resume=digits)
