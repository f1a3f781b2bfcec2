"""What a factory brings: one camera, hardly a defect, a shared drive, a line that never stops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tellapart.runs.callbacks import Callbacks
from tellapart.runs.session import Session
from tellapart.workflow.train import train as train_in_library


def test_a_fixed_camera_that_burns_in_the_time(save, check, train):
    """Every frame shows the same machine; the class is a small lamp, and a clock changes too."""
    rng = np.random.default_rng(3)
    machine = rng.normal(120, 40, (64, 64))
    for split, count in (("train", 16), ("test", 8)):
        for number in range(2 * count):
            frame = machine + rng.normal(0, 2, machine.shape)
            if number % 2:
                frame[30:38, 30:38] = 250
            image = Image.fromarray(np.clip(frame, 0, 255).astype(np.uint8))
            ImageDraw.Draw(image).text((2, 52), f"12:{number:02d}:07", fill=255)
            save(f"camera/{split}/{('off', 'on')[number % 2]}/{number}.png", np.asarray(image))
    found = check("camera")
    assert (found["code"], found["has_leaks"]) == (2, True)  # reported, and not refused
    assert found["totals"]["test"] == 16
    assert sum(found["totals"].values()) == 48
    outcome = train("camera", "--set", "validation_fraction=0")
    assert "16 of the 16 images of test" in outcome.err
    assert outcome.json["test_accuracy"] > 0.9


def test_grey_bitmaps_stored_as_colour(bar, save, check, train, predicted):
    """BMP files with three equal channels are grey images, and as good as grey PNG files."""
    for number in range(32):
        kind = number % 2
        grey = np.round(bar(kind) * 255).astype(np.uint8)
        save(f"parts/{('ok', 'scratch')[kind]}/{number}.bmp", np.stack([grey] * 3, 2))
    found = check("parts")
    assert found["code"] == 0
    assert any("32x32 grey" in note for note in found["notes"])
    train("parts")
    grey = np.round(bar(1) * 255).astype(np.uint8)
    one, other = save("grey.png", grey), save("colour.bmp", np.stack([grey] * 3, 2))
    answers = predicted(one, other)
    assert answers[one]["probability"] == answers[other]["probability"]


def test_a_hundred_good_parts_for_a_defect(fill, check, tellapart):
    """99 % good: what is always answered "ok" is called of no use, whatever its accuracy."""
    rng = np.random.default_rng(4)
    for name, count in (("ok", 198), ("defect", 4)):
        Path("line", name).mkdir(parents=True)
        for number in range(count):  # noise: there is nothing to be learned
            noise = rng.integers(0, 256, (16, 16), dtype=np.uint8)
            Image.fromarray(noise).save(f"line/{name}/{number}.png")
    assert "imbalance" in check("line")["kinds"]
    outcome = tellapart("train", "line", "--out", "run", "--threads", "1", "--set", "epochs=1")
    assert outcome.code == 0
    assert "balanced" in outcome.err
    last = outcome.out.strip().splitlines()[-1]
    assert "WARNING" in last
    assert "'ok'" in last
    evaluated = tellapart("evaluate", "run")
    assert "WARNING" in (evaluated.out + evaluated.err)


def test_nothing_is_written_into_a_shared_drive(fill, check, train, predicted, tellapart):
    """Data that may only be read stays as it is, to the time of its last change."""
    files = fill("share", 12)
    folders = {Path("share"), *(file.parent for file in files)}
    for path in (*files, *folders):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def state():
        return {path: path.stat().st_mtime_ns for path in Path("share").rglob("*")}

    before = state()
    try:
        assert check("share")["code"] == 0
        train("share")
        assert len(predicted("share")) == 24
        assert tellapart("evaluate", "run", "--json").code == 0
        tuned = ("finetune", "run", "share", "--out", "tuned", "--set", "epochs=1", "--json")
        assert tellapart(*tuned).code == 0
        assert state() == before
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_nested_folders_of_dates(bar, save, check, train, predicted):
    """CLASS/YEAR/MONTH/DAY/image.png: the classes are not the dates."""
    for number in range(32):
        kind = number % 2
        name = ("ok", "defect")[kind]
        save(f"line/{name}/2024/{1 + number % 3:02d}/{number:02d}/{number}.png", bar(kind))
    found = check("line")
    assert found["class_counts"]["train"].keys() == {"ok", "defect"}
    assert (found["code"], sum(found["totals"].values())) == (0, 32)
    train("line")
    answers = predicted("line/ok/2024/01")
    assert answers
    assert {row["label"] for row in answers.values()} <= {"ok", "defect"}


def test_files_of_a_writer_that_crashed(fill, check, train, predicted):
    """Cut off in the middle, empty, full of zeros, half copied: listed, and all others used."""
    files = fill("line", 14)
    content = files[0].read_bytes()
    files[0].write_bytes(content[: len(content) // 2])
    files[1].write_bytes(b"")
    files[15].write_bytes(bytes(len(content)))
    files[16].rename(files[16].with_suffix(".png.part"))
    found = check("line")
    assert (found["code"], sum(found["totals"].values())) == (0, 24)
    broken = {Path(file["path"]).name for file in found["kinds"]["unreadable"]["files"]}
    assert broken == {files[0].name, files[1].name}
    assert len(found["kinds"]["unreadable"]["files"]) == 3
    assert len(found["kinds"]["not an image by its name"]["files"]) == 1
    train("line")
    answers = predicted("line", code=2)  # what can be read is answered
    assert [bool(row["error"]) for row in answers.values()].count(True) == 3
    assert len(answers) == 27


def test_the_same_part_under_two_classes(fill, check, train):
    """Copied by hand into both folders: a contradiction, with the files' names."""
    files = fill("line", 16)
    for number in (0, 1, 2):
        copy = Path("line", "upright", f"copy-{number}.png")
        copy.write_bytes(files[number].read_bytes())
    found = check("line")
    groups = found["kinds"]["contradiction"]["groups"]
    assert len(groups) == 3
    for group in groups:
        assert {image["class"] for image in group} == {"lying", "upright"}
    assert not found["has_leaks"]  # equal images are divided together
    train("line")


class CameraAtWork(Callbacks):
    """Saves a new image while each epoch is trained."""

    def __init__(self, save, bar):
        self._save, self._bar = save, bar

    def on_epoch_end(self, report, num_epochs):  # noqa: ARG002
        self._save(f"line/lying/new-{report.epoch}.png", self._bar(0))


def test_a_camera_that_goes_on_during_training(fill, bar, save, check, tellapart):
    """What comes while training runs is no part of it, and the run's data is then another one."""
    fill("line", 16)
    before = check("line")["totals"]
    session = Session(threads=1, callbacks=CameraAtWork(save, bar))
    result = train_in_library("line", settings=["epochs=3"], out="run", session=session)
    assert result.num_epochs == 3
    assert sum(check("line")["totals"].values()) == sum(before.values()) + 3
    refused = tellapart("evaluate", "run")
    assert (refused.code, refused.out) == (2, "")
    assert "changed" in refused.err
    for new in Path("line").rglob("new-*.png"):
        new.unlink()
    assert tellapart("evaluate", "run", "--json").json["accuracy"] == pytest.approx(
        result.test_accuracy
    )
