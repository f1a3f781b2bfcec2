"""What a person sees on standard error while something takes its time."""

from __future__ import annotations

import re

import pytest

from tellapart.cli.progress import ConsoleCallbacks
from tellapart.training.trainer import EpochReport


def report(epoch=3, validation=None):
    return EpochReport(
        epoch=epoch,
        learning_rate=0.1,
        train_loss=0.51234,
        train_accuracy=0.9876,
        validation_loss=validation,
        validation_accuracy=validation,
        seconds=12.34,
        images_per_second=1000.0,
    )


def test_a_plain_line_for_every_epoch_and_none_in_between(capsys):
    with ConsoleCallbacks() as callbacks:
        callbacks.on_step(3, 50, 100, 0.7)
        callbacks.on_epoch_end(report(), 12)
        callbacks.on_epoch_end(report(12, validation=0.25), 12)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "epoch  3/12  loss 0.5123  train 98.76 %  12.3 s",
        "epoch 12/12  loss 0.5123  train 98.76 %  validation loss 0.2500  validation 25.00 %  "
        "12.3 s",
    ]


def test_a_plain_line_for_every_quarter_of_a_download(capsys):
    callbacks = ConsoleCallbacks()
    for done in range(101):
        callbacks.on_download("mnist", done * 100_000, 10_000_000)
    assert capsys.readouterr().err.splitlines() == [
        f"fetching mnist: {done} of 10.0 MB" for done in ("2.5", "5.0", "7.5", "10.0")
    ]


@pytest.mark.parametrize("text", ["a run [bold]in brackets[/bold]", "long " * 60 + "end", "[/]"])
def test_notes_and_warnings_are_printed_as_they_are(capsys, text):
    callbacks = ConsoleCallbacks()
    callbacks.note(text)
    callbacks.warn(text)
    assert capsys.readouterr().err == f"{text}\nwarning: {text}\n"


def test_a_live_bar_on_a_terminal_that_is_gone_at_the_end(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    def fail_in_the_middle():
        with ConsoleCallbacks() as callbacks:
            callbacks.on_step(2, 30, 100, 0.7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    err = capsys.readouterr().err
    assert "epoch 2  loss 0.7000" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", err)
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert err.rindex(shown) > err.rindex(hidden)
