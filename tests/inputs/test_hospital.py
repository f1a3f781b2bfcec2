"""What a hospital brings: deep grey, two polarities, tables of Excel, masks, stacks, few cases.

That the same patient is in train and test, in other views, cannot be seen in the images: the person
names the patients, by a column of the table or by a pattern of the paths.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WHITE_12_BITS = 4095
PHOTOMETRIC = 262


def test_x_rays_of_12_bits_in_both_polarities(bar, save, check, train, predicted, tellapart):
    """16-bit PNG beside TIFF whose zero is white (MONOCHROME1), all of them 12 bits deep."""
    for number in range(40):
        kind = number % 2
        image = np.round(bar(kind) * WHITE_12_BITS).astype(np.uint16)
        place = Path("x-rays", ("lung", "hand")[kind], str(number))
        if number % 4 < 2:
            save(f"{place}.png", image)
        else:
            save(f"{place}.tif", WHITE_12_BITS - image, tiffinfo={PHOTOMETRIC: 0})
    found = check("x-rays")
    assert (found["code"], found["totals"]["train"] + found["totals"]["test"]) == (0, 40)
    assert any(str(WHITE_12_BITS) in note for note in found["notes"])
    assert "blank" not in found["kinds"]
    train("x-rays")
    assert tellapart("evaluate", "run", "--split", "train", "--json").json["accuracy"] > 0.9
    # The same image in either polarity is the same image.
    image = np.round(bar(0) * WHITE_12_BITS).astype(np.uint16)
    positive = save("positive.png", image)
    negative = save("negative.tif", WHITE_12_BITS - image, tiffinfo={PHOTOMETRIC: 0})
    answers = predicted(positive, negative)
    assert answers[positive]["probability"] == answers[negative]["probability"]
    assert answers[positive]["label"] == "lung"


def test_dicom_beside_exports(fill, check, predicted, train, tellapart):
    """Every export lies beside the DICOM file that it was made of."""
    for file in fill("exports", 10):
        file.with_suffix(".dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 64)
    found = check("exports")
    assert (found["code"], sum(found["totals"].values())) == (0, 20)
    left_out = found["kinds"]["not an image by its name"]
    assert (len(left_out["files"]), "DICOM" in left_out["message"]) == (20, True)
    train("exports")
    assert len(predicted("exports")) == 20
    for file in Path("exports").rglob("*.png"):
        file.unlink()
    refused = check("exports")["message"]
    assert "20" in refused
    assert "DICOM" in refused
    outcome = tellapart("predict", "run", "exports/lying/000.dcm", "--json")
    assert outcome.code == 2
    assert "DICOM" in outcome.json["predictions"][0]["error"]


def test_folders_of_patients_below_the_classes(bar, save, check):
    """CLASS/PATIENT/view.png; two views of a patient are nearly alike and stay together."""
    rng = np.random.default_rng(1)
    for patient in range(24):
        kind = patient % 2
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8))
        view = np.asarray(coarse.resize((64, 64), Image.Resampling.BICUBIC)).astype(float)
        for number in range(2):
            name = ("benign", "malignant")[kind]
            place = f"study/{name}/patient-{patient:02d}/view{number}.png"
            save(place, np.clip((view + 8 * number) / 271, 0, 1))
    found = check("study")
    assert set(found["class_counts"]["train"]) == {"benign", "malignant"}
    assert (found["code"], found["has_leaks"]) == (0, False)
    assert sum(found["totals"].values()) == 48


def test_patients_by_a_pattern_of_the_paths_or_a_column(fill, check, tellapart):
    """Different images of eight patients, in both classes; then a division that somebody made."""
    files = fill("ward", 16)
    for number, file in enumerate(files):
        file.rename(file.with_name(f"p{number % 8}-{number}.png"))
    found = tellapart("data", "check", "ward", "--group-by", r"/(p\d)-", "--json")
    assert (found.code, found.json["has_leaks"]) == (0, False)
    assert any("32 images in 8 groups" in note for note in found.json["notes"])
    rows = ["path,label,group,split"]
    for number, file in enumerate(sorted(Path("ward").rglob("*.png"))):
        split = "test" if number % 4 == 0 else "train"
        rows.append(f"{file},{file.parent.name},{file.name[:2]},{split}")
    Path("divided.csv").write_text("\n".join(rows), encoding="utf-8")
    found = check("divided.csv")
    assert (found["code"], found["has_leaks"]) == (2, True)
    leak = found["kinds"]["group-leak"]
    assert (len(leak["groups"]), "'p0' (3 in train, 1 in test)" in leak["message"]) == (4, False)


@pytest.mark.parametrize("first_line", ["", "sep=;\r\n"])
def test_a_table_that_excel_wrote_with_paths_of_windows(fill, check, first_line):
    """Semicolons, a byte order mark, backslashes, an umlaut and a column that nobody asked for."""
    files = fill("scans", 12)
    rows = [(file, "lying" if file.parent.name == "lying" else "Höhe") for file in files]
    plain = ["path,label", *(f"{file.as_posix()},{label}" for file, label in rows)]
    Path("plain.csv").write_text("\n".join(plain), encoding="utf-8")
    excel = ["Path;Label;Befund;", *(f"{f};{label};o. B.;" for f, label in rows)]
    text = first_line + "\r\n".join(excel).replace("/", "\\") + "\r\n"
    Path("excel.csv").write_bytes(text.encode("utf-8-sig"))
    found = check("excel.csv")
    assert (found["code"], set(found["class_counts"]["train"])) == (0, {"lying", "Höhe"})
    assert found["fingerprint"] == check("plain.csv")["fingerprint"]
    assert any("Befund" in note for note in found["notes"])


def test_names_with_accents_that_a_mac_writes_otherwise(fill, check, train, predicted, tellapart):
    """One class in two folders, its name composed and decomposed; files with accents too."""
    composed, decomposed = (unicodedata.normalize(form, "fêlé") for form in ("NFC", "NFD"))
    fill("bones", 10, (composed, "entier"))
    for number, file in enumerate(fill("more", 10, (decomposed,))):
        place = Path("bones", decomposed, unicodedata.normalize("NFD", f"é{number}.png"))
        place.parent.mkdir(exist_ok=True)
        file.rename(place)
    found = check("bones")
    assert found["class_counts"]["train"].keys() == {composed, "entier"}
    assert (found["code"], sum(found["totals"].values())) == (0, 30)
    train("bones")
    assert len(predicted("bones")) == 30
    assert tellapart("evaluate", "run", "--json").code == 0


def test_a_rare_class_of_three_images(fill, bar, save, check, train):
    """Two common classes and one of three cases: found, trained on, and not hidden by accuracy."""
    fill("cases", 20)
    for number in range(3):
        save(f"cases/rare/{number}.png", np.clip(bar(0) + bar(1), 0, 1))
    found = check("cases")
    assert (found["code"], "tiny class" in found["kinds"]) == (0, True)
    counts = [split["rare"] for split in found["class_counts"].values()]
    assert (sum(counts), min(counts)) == (3, 1)
    outcome = train("cases")
    assert 0 <= outcome.json["test_accuracy"] <= 1
    assert "class_weights=balanced" in outcome.err


def test_masks_beside_their_images(fill, check, train):
    """``000_mask.png`` beside ``000.png`` would be learned as an image of its class."""
    rng = np.random.default_rng(2)
    for file in fill("ultrasound", 12):
        mask = np.kron(rng.integers(0, 2, (4, 4)), np.ones((8, 8))).astype(np.uint8) * 255
        Image.fromarray(mask).save(file.with_name(f"{file.stem}_mask.png"))
    found = check("ultrasound")
    masks = found["kinds"]["masks"]["groups"]
    assert len(masks) == 24
    assert all(Path(image["path"]).stem.endswith("_mask") for (image,) in masks)
    assert "24 images" in train("ultrasound").err


def test_stacks_of_slices(bar, save, check, train, predicted):
    """TIFF files of five pages each: the first is used, and it is reported how many have more."""
    for number in range(24):
        kind = number % 2
        pages = [Image.fromarray(np.round(bar(kind) * 255).astype(np.uint8)) for _ in range(5)]
        place = Path("stacks", ("flair", "t1")[kind], f"{number}.tif")
        place.parent.mkdir(parents=True, exist_ok=True)
        pages[0].save(place, save_all=True, append_images=pages[1:])
    found = check("stacks")
    assert (found["code"], sum(found["totals"].values())) == (0, 24)
    assert any("24 files" in note for note in found["notes"])
    train("stacks")
    answers = predicted("stacks")
    assert len(answers) == 24
    assert all(row["changes"] for row in answers.values())
