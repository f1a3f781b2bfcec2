"""Every kind of fault that a folder of images can have is found and named."""

import json
from pathlib import Path

import pytest

from tellapart.data.preparation import Preparation
from tellapart.data.quality.audit import audit, imbalance_ratio
from tellapart.data.sets.sources import load_data_set


@pytest.fixture
def messy(tmp_path, make_picture):
    """A folder with one of everything."""
    root = tmp_path / "messy"
    for number in range(24):
        make_picture(root / "train/cat" / f"{number}.jpg", number, (80, 60))
    for number in range(6):
        make_picture(root / "train/dog" / f"{number}.jpg", 100 + number, (80, 60))
        make_picture(root / "val/cat" / f"{number}.jpg", 200 + number, (80, 60))
    make_picture(root / "train/cat/placeholder.gif", 300, (80, 60), "P")
    make_picture(root / "train/cat/stamp.jpg", 301, (12, 12))
    make_picture(root / "train/cat/strip.jpg", 302, (400, 60))
    make_picture(root / "val/cat/leak.jpg", 3, (80, 60))
    make_picture(root / "train/dog/again.jpg", 100, (80, 60))
    make_picture(root / "train/cat/dog.jpg", 101, (80, 60))
    (root / "train/cat/empty.jpg").touch()
    (root / "train/cat/page.jpg").write_text("<!doctype html>")
    (root / "train/.DS_Store").touch()
    (root / "train/cat/notes.txt").touch()
    (root / "train/loose.jpg").touch()
    return root


def findings_of(folder, **asked):
    return {
        f.kind: f for f in audit(load_data_set(folder, preparation=Preparation(**asked))).findings
    }


def names(finding):
    return [[Path(p.path).name for p in group] for group in finding.groups]


def test_one_of_everything(messy):
    findings = findings_of(messy, test_fraction=0)
    assert names(findings["exact duplicates across splits"]) == [["3.jpg", "leak.jpg"]]
    assert names(findings["exact duplicates within a split"]) == [
        ["dog.jpg", "1.jpg"], ["0.jpg", "again.jpg"]
    ]  # fmt: skip
    assert names(findings["contradiction"]) == [["dog.jpg", "1.jpg"]]
    assert names(findings["odd kind"]) == [["placeholder.gif"]]
    assert findings["odd kind"].message == (
        "1 file of another kind than the rest (JPEG colour): 1 GIF palette; look at what it shows: "
        "often a placeholder, not an image of the class"
    )
    assert findings["odd shape"].message.startswith("1 image more than 3 times as long as wide: ")
    assert names(findings["odd size"]) == [["stamp.jpg"]]
    assert names(findings["odd shape"]) == [["strip.jpg"]]
    assert [Path(path).name for path, _ in findings["unreadable"].paths] == [
        "empty.jpg",
        "page.jpg",
    ]
    assert [Path(path).name for path, _ in findings["system file"].paths] == [".DS_Store"]
    assert [Path(path).name for path, _ in findings["not an image by its name"].paths] == [
        "notes.txt"
    ]
    assert [Path(path).name for path, _ in findings["without a class"].paths] == ["loose.jpg"]
    assert findings["tiny class"].message.startswith("train has fewer than 20 images of dog (7)")
    assert "has 4.0 times the images" in findings["imbalance"].message
    assert findings["empty class"].message.startswith("validation has no image of dog")
    assert len(findings) == 13


def test_photographs_of_an_unread_format_are_to_be_converted(pets):
    (pets / "cat" / "phone.HEIC").write_bytes(b"x")
    assert "convert" in findings_of(pets)["not an image by its name"].message


def test_leaks_come_first_and_decide(messy):
    data_set = load_data_set(messy, preparation=Preparation(test_fraction=0))
    found = audit(data_set)
    assert found.has_leaks
    severities = [finding.severity for finding in found.findings]
    assert severities == sorted(severities, key=["leak", "fault", "fact"].index)
    json.dumps([finding.to_json() for finding in found.findings], allow_nan=False)


def test_a_sound_folder_has_no_findings(tmp_path, make_picture):
    for label in range(2):
        for number in range(30):
            make_picture(tmp_path / "sound" / str(label) / f"{number}.png", 100 * label + number)
    found = audit(load_data_set(tmp_path / "sound"))
    assert found.findings == ()
    assert not found.has_leaks


def test_unevenness_forgets_empty_classes(pets):
    train = load_data_set(
        pets, preparation=Preparation(undivided="train", class_names=("bird", "cat", "dog"))
    ).split("train")
    assert imbalance_ratio(train) == 1.0


def test_ants_and_bees_have_their_placeholder(data_dir):
    found = audit(load_data_set(data_dir / "ants-bees"))
    kinds = {finding.kind: finding for finding in found.findings}
    assert names(kinds["odd kind"]) == [["imageNotFound.gif"]]
    assert [Path(path).name for path, _ in kinds["system file"].paths] == [".DS_Store", ".DS_Store"]
    assert not found.has_leaks


@pytest.mark.slow
def test_fashion_mnist_repeats_images_across_its_splits(data_dir):
    found = audit(load_data_set("fashion-mnist", data_dir=data_dir))
    assert found.has_leaks
    (leak,) = [finding for finding in found.findings if finding.severity == "leak"]
    assert leak.kind == "near duplicates across splits"
    assert 5 <= len(leak.groups) <= 30
