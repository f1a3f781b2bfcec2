"""What a school brings: telephones' photographs, drawings on paper, icons, names of every kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tellapart.data.sets.sources import load_data_set
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.train import train as train_in_library

ORIENTATION = 0x0112
RULED, SQUARED = (slice(None, None, 20),), (slice(None, None, 20), slice(None, None, 20))


def test_photographs_of_telephones(bar, save, check, train, predicted):
    """JPEG files on their side with an EXIF mark, and HEIC files that nobody noticed."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by a quarter to the right
    for number in range(32):
        kind = number % 2
        image, name = bar(kind), ("lying", "upright")[kind]
        if number % 4 < 2:
            save(f"photos/{name}/{number}.jpg", image, quality=95)
        else:
            turned = np.rot90(image).copy()
            save(f"photos/{name}/{number}.jpg", turned, quality=95, exif=exif)
    for number in range(5):
        heic = b"\0\0\0\x18ftypheic" + bytes([number] * 40)
        Path(f"photos/lying/IMG_{number}.HEIC").write_bytes(heic)
    found = check("photos")
    assert (found["code"], sum(found["totals"].values())) == (0, 32)
    left_out = found["kinds"]["not an image by its name"]
    assert (len(left_out["files"]), "convert" in left_out["message"]) == (5, True)
    train("photos")
    answers = predicted("photos")
    correct = [row["label"] == path.parent.name for path, row in answers.items()]
    assert np.mean(correct) > 0.9


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """A run that knows light digits on black."""
    result = train_in_library(
        settings=["epochs=3"],
        out=tmp_path_factory.mktemp("runs") / "digits",
        session=Session(threads=1),
    )
    return result.run


def on_paper(digit, paper, ink):
    """A digit, uint8 (28, 28), drawn large on a page of 200x200, uint8 (200, 200, 3)."""
    large = Image.fromarray(digit).resize((140, 140), Image.Resampling.BICUBIC)
    strokes = np.zeros((200, 200, 1))
    strokes[30:170, 30:170, 0] = np.asarray(large) / 255
    page = np.array(paper) * (1 - strokes) + np.array(ink) * strokes
    grain = np.random.default_rng(0).normal(0, 3, page.shape)
    return np.clip(page + grain, 0, 255).astype(np.uint8)


def drawn_digits(save, folder, change):
    """Fifty digits of the test split in a folder of each class."""
    test = load_data_set("mnist-sample").split("test")
    for index in range(0, 1000, 20):
        digit, label = test.images[index, 0].numpy(), int(test.labels[index])
        save(f"{folder}/{label}/{index}.png", change(digit))


def accuracies(tellapart, run, folder):
    """Of predict and of evaluate, on the same files."""
    rows = tellapart("predict", run, folder, "--json").json["predictions"]
    correct = [row["label"] == Path(row["path"]).parent.name for row in rows]
    return np.mean(correct), tellapart("evaluate", run, folder, "--json").json["accuracy"]


@pytest.mark.parametrize("lines", [RULED, SQUARED], ids=["ruled", "squared"])
def test_digits_on_paper_with_lines(save, tellapart, digits_run, lines):
    """The paper's lines are no strokes, and a page with nothing but lines is no digit."""

    def print_lines(page):
        page = page.copy()
        page[lines[0]] = (150, 170, 210)
        if len(lines) > 1:
            page[:, lines[1]] = (150, 170, 210)
        return page

    drawn_digits(save, "paper", lambda d: print_lines(on_paper(d, (235, 230, 220), (30, 30, 60))))
    predicted, evaluated = accuracies(tellapart, digits_run, "paper")
    assert predicted == evaluated > 0.9
    blank = save("blank.png", print_lines(np.full((200, 200, 3), 235, np.uint8)))
    [row] = tellapart("predict", digits_run, blank, "--json").json["predictions"]
    assert (row["found"], row["label"]) == (False, None)


INKS = {
    "red on white": ((245, 245, 240), (200, 30, 30)),
    "yellow on white": ((245, 245, 240), (240, 215, 60)),
    "chalk on green": ((30, 60, 45), (230, 230, 225)),
}


@pytest.mark.parametrize("colours", INKS.values(), ids=INKS)
def test_drawings_in_coloured_ink(save, tellapart, digits_run, colours):
    """What is drawn is told by how it stands out, whatever its colour."""
    drawn_digits(save, "drawings", lambda digit: on_paper(digit, *colours))
    predicted, evaluated = accuracies(tellapart, digits_run, "drawings")
    assert predicted == evaluated > 0.9


def test_screenshots_with_an_alpha_that_hides_nothing(bar, save, check, train, predicted):
    """RGBA with alpha 255 everywhere is the same image as RGB."""
    rng = np.random.default_rng(5)
    tints = rng.uniform(0.6, 1, (34, 3))
    colours = [
        np.round(bar(number % 2)[..., None] * tints[number] * 255).astype(np.uint8)
        for number in range(34)
    ]
    screens = [np.dstack([pixels, np.full((32, 32), 255, np.uint8)]) for pixels in colours]
    for number, screen in enumerate(screens[:32]):
        save(f"screens/{('lying', 'upright')[number % 2]}/{number}.png", screen)
    found = check("screens")
    assert (found["code"], "blank" in found["kinds"]) == (0, False)
    assert any("32x32 colour" in note for note in found["notes"])
    train("screens")
    with_alpha, without = save("a.png", screens[32]), save("b.png", colours[32])
    answers = predicted(with_alpha, without)
    assert answers[with_alpha]["probability"] == answers[without]["probability"]


@pytest.mark.parametrize("ink", [0, 255], ids=["black", "white"])
def test_icons_on_a_transparent_background(bar, save, check, train, predicted, ink):
    """All that is drawn is in the alpha: nothing becomes blank, in black ink or in white."""
    for number in range(32):
        kind = number % 2
        alpha = np.where(bar(kind) > 0.6, 255, 0).astype(np.uint8)
        icon = np.dstack([np.full((32, 32, 3), ink, np.uint8), alpha])
        save(f"icons/{('lying', 'upright')[kind]}/{number}.png", icon)
    found = check("icons")
    assert (found["code"] in (0, 2), "blank" in found["kinds"]) == (True, False)
    train("icons")
    answers = predicted("icons")
    correct = [row["label"] == path.parent.name for path, row in answers.items()]
    assert np.mean(correct) > 0.9


def test_folders_of_every_name(fill, check, train, predicted, tellapart):
    """Blanks, emoji, Chinese, commas and quotes; and what the run listed is the data again."""
    names = ("our cats 🐱", "小狗", 'a, "b"', "50%; é")
    fill("pets of 3b", 6, names)
    found = check("pets of 3b")
    assert (found["code"], set(found["class_counts"]["train"])) == (0, set(names))
    train("pets of 3b")
    fingerprint = RunFolder(Path("run")).read_data_reference().fingerprint
    answers = predicted("pets of 3b")
    assert {row["label"] for row in answers.values()} <= set(names)
    assert check("run/images.csv")["fingerprint"] == fingerprint
    assert tellapart("evaluate", "run", "--json").code == 0


def test_an_archive_that_was_unpacked_twice(fill, check, train, tellapart):
    """archive/archive/train/CLASS: refused by every verb, each naming the folder to give."""
    for split, count in (("train", 12), ("test", 4)):
        fill(f"archive/archive/{split}", count)
    inner = str(Path("archive/archive"))
    assert inner in check(".")["message"] or inner in check("archive")["message"]
    found = check(inner)
    assert (found["code"], found["totals"]["test"]) == (0, 8)
    assert sum(found["totals"].values()) == 32
    train(inner)
    for command in (("evaluate", "run", "."), ("finetune", "run", ".", "--out", "tuned")):
        refused = tellapart(*command)
        assert refused.code == 2
        assert inner in refused.err


def test_what_systems_leave_in_folders(fill, check, train, predicted):
    """.DS_Store, __MACOSX, Thumbs.db and desktop.ini change nothing, down to the fingerprint."""
    fill("homework", 12)
    clean = check("homework")
    for place in (".DS_Store", "lying/.DS_Store", "lying/Thumbs.db", "upright/desktop.ini"):
        Path("homework", place).write_bytes(b"\0\1")
    for file in Path("homework/lying").glob("*.png"):
        shadow = Path("homework/__MACOSX/homework/lying", f"._{file.name}")
        shadow.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, shadow)
        shutil.copy(file, file.with_name(f"._{file.name}"))
    found = check("homework")
    assert (found["code"], found["fingerprint"]) == (0, clean["fingerprint"])
    assert found["kinds"]["system file"]["severity"] == "fact"
    train("homework")
    assert len(predicted("homework")) == 24


def test_one_image_of_each_pupil(fill, bar, save, check):
    """Eight classes of one image: nothing to learn and to test on, refused with the counts."""
    for pupil in range(8):
        soft = Image.fromarray(np.round(bar(pupil % 2) * 255).astype(np.uint8))
        save(f"class 3b/pupil {pupil}/me.png", np.asarray(soft.filter(ImageFilter.BLUR)))
    refused = check("class 3b")["message"]
    assert "pupil 0" in refused
    assert "at least 2" in refused
