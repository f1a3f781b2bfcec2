"""`predict`: any image file gets a class, and a file that is none does not stop the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ClassifierFileError, DataError, RunError
from tellapart.models.checkpoint import load_classifier, load_tensors, save_tensors
from tellapart.runs.session import Session
from tellapart.workflow import predict as predicting
from tellapart.workflow.predict import predict
from tellapart.workflow.train import train


@pytest.fixture(scope="session")
def test_split():
    return load_data_set("mnist-sample").split("test")


def digit(test_split, index=0) -> Image.Image:
    return Image.fromarray(test_split.images[index, 0].numpy())


def test_an_image_file_is_named_as_its_pixels_are(trained, test_split):
    indices = list(range(0, 1000, 50))
    for index in indices:
        digit(test_split, index).save(f"{index:03}.png")
    predictions = predict(trained.run, ["."], session=Session(threads=1))
    assert [entry.path for entry in predictions] == [f"{index:03}.png" for index in indices]
    classifier = load_classifier(trained.run / "model.safetensors")
    with torch.inference_mode():
        probabilities = classifier(test_split.images[indices]).softmax(1)
    best = probabilities.topk(2)
    for row, entry in enumerate(predictions):
        assert entry.error is None
        assert (entry.label, entry.runner_up) == tuple(str(int(i)) for i in best.indices[row])
        assert entry.probability == pytest.approx(float(best.values[row, 0]), abs=1e-5)
        assert entry.runner_up_probability == pytest.approx(float(best.values[row, 1]), abs=1e-5)


def test_nine_views_are_averaged(trained, test_split):
    indices = list(range(0, 1000, 50))
    for index in indices:
        digit(test_split, index).save(f"{index:03}.png")
    predictions = predict(trained.run, ["."], as_is=True, tta=True, session=Session(threads=1))
    padded = np.pad(test_split.images[indices].numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
    classifier = load_classifier(trained.run / "model.safetensors")
    plain = classifier.with_temperature(None)
    with torch.inference_mode():
        mean = sum(
            plain(torch.from_numpy(padded[:, :, y : y + 28, x : x + 28].copy())).softmax(1) / 9
            for y in range(3)
            for x in range(3)
        )
    mean = (mean.log() / classifier.spec.temperature).softmax(1)
    for row, entry in zip(mean, predictions, strict=True):
        assert entry.label == str(int(row.argmax()))
        assert entry.probability == pytest.approx(float(row.max()), abs=1e-5)
    plain = predict(trained.run, ["."], as_is=True, session=Session(threads=1))
    assert [entry.probability for entry in plain] != [entry.probability for entry in predictions]


MODES = {
    "grey.png": "L",
    "colour.png": "RGB",
    "transparent.png": "RGBA",
    "palette.gif": "P",
    "print.jpg": "CMYK",
    "deep.png": "I;16",
    "bits.tif": "1",
    "grey.bmp": "L",
    "grey.webp": "RGB",
}


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("size", [(28, 28), (3, 200), (640, 480)])
def test_any_size_and_mode(trained, test_split, name, size):
    image = digit(test_split).resize(size)
    if MODES[name] == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    else:
        image = image.convert(MODES[name])
    image.save(name)
    [entry] = predict(trained.run, [name], session=Session(threads=1))
    assert entry.error is None
    assert entry.label in "0123456789"
    assert 0 <= entry.runner_up_probability <= entry.probability <= 1


def test_the_same_digit_in_every_mode_is_the_same_digit(trained, test_split):
    image = digit(test_split)
    image.save("a.png")
    image.convert("RGB").save("b.png")
    Image.fromarray(np.asarray(image).astype(np.uint16) * 257).save("c.png")
    first, *others = predict(trained.run, ["."], session=Session(threads=1))
    assert len(others) == 2
    for entry in others:
        assert (entry.label, entry.probability) == (first.label, first.probability)


def test_a_small_dark_digit_in_a_corner_of_a_page_is_corrected(trained, test_split):
    for index in range(0, 1000, 25):
        page = Image.new("L", (300, 200), 240)
        ink = Image.eval(digit(test_split, index), lambda value: 255 - value)
        page.paste(ink.resize((70, 70)), (200, 10))
        page.save(f"{index:03}.png")
        digit(test_split, index).save(f"{index:03}-plain.png")
    names = sorted(Path.cwd().glob("???.png"))
    straight = predict(trained.run, [name.with_stem(f"{name.stem}-plain") for name in names])
    put_right = predict(trained.run, names)
    as_they_are = predict(trained.run, names, as_is=True)
    assert all(entry.changes[:2] == ("inverted", "enlarged") for entry in put_right)
    assert put_right[0].to_json()["changes"] == list(put_right[0].changes)
    assert all(entry.changes == () for entry in (*straight, *as_they_are))

    def num_agreeing(entries):
        return sum(a.label == b.label for a, b in zip(entries, straight, strict=True))

    assert num_agreeing(put_right) >= 34
    assert num_agreeing(as_they_are) < 20


def test_files_folders_and_patterns_each_file_once(trained, test_split):
    for path in ("a/1.png", "a/b/2.PNG", "c.png", "a/.hidden.png", "a/notes.txt"):
        Path(path).parent.mkdir(exist_ok=True, parents=True)
        digit(test_split).convert("L").save(path, format="PNG")
    predictions = predict(
        trained.run, ["c.png", "a", "*.png", "a/**/*.PNG"], session=Session(threads=1)
    )
    assert [entry.path for entry in predictions] == ["c.png", "a/1.png", "a/b/2.PNG"]


def test_an_unreadable_file_is_named_and_the_others_are_answered(trained, test_split):
    digit(test_split).save("1.png")
    Path("2.png").write_text("dear", "utf-8")
    Path("3.png").write_bytes(b"")
    Path("4.png").write_bytes(Path("1.png").read_bytes()[:60])
    digit(test_split).save("5.png")
    predictions = predict(trained.run, ["."], session=Session(threads=1))
    assert [entry.path for entry in predictions] == [f"{number}.png" for number in range(1, 6)]
    assert [entry.error is None for entry in predictions] == [True, False, False, False, True]
    assert predictions[0].label == predictions[4].label
    assert predictions[1].error.startswith("2.png: not an image in a format that is read")
    assert predictions[2].error == "3.png: the file is empty; copy it again"
    assert "4.png: cannot be decoded" in predictions[3].error
    assert predictions[1].to_json()["label"] is None


def test_many_files_are_taken_in_portions(trained, test_split, monkeypatch):
    for index in range(5):
        digit(test_split, index * 200).save(f"{index}.png")
    Path("2.png").write_bytes(b"")
    whole = predict(trained.run, ["."], session=Session(threads=1))
    monkeypatch.setattr(predicting, "_IMAGES_AT_A_TIME", 2)
    in_portions = predict(trained.run, ["."], session=Session(threads=1))
    assert [entry.label for entry in in_portions] == [entry.label for entry in whole]
    assert [entry.path for entry in in_portions] == [entry.path for entry in whole]
    assert in_portions[2].error


def test_only_unreadable_files(trained):
    Path("1.png").write_bytes(b"")
    [entry] = predict(trained.run, ["1.png"], session=Session(threads=1))
    assert entry.label is None
    assert entry.error


def test_a_classifier_file_instead_of_a_run(trained, test_split):
    digit(test_split).save("1.png")
    assert predict(
        trained.run / "model.safetensors", ["1.png"], session=Session(threads=1)
    ) == predict(trained.run, ["1.png"], session=Session(threads=1))


def test_nothing_to_predict(trained):
    for pictures, message in (
        ([], "no image is given"),
        (["gone.png"], "gone.png: no such file or folder"),
        (["*.png"], r"\*.png: the pattern matches no image"),
        (["."], "is empty"),
    ):
        with pytest.raises(DataError, match=message):
            predict(trained.run, pictures)


def test_what_is_no_run(trained, digits, interrupt_after):
    with pytest.raises(RunError, match="run nowhere does not exist"):
        predict("nowhere", ["."])
    with pytest.raises(RunError, match="is not a run"):
        predict(digits, ["."])
    with pytest.raises(KeyboardInterrupt):
        train(
            digits,
            settings=["epochs=1", "model.network=single-conv"],
            out="run",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    with pytest.raises(RunError, match=r"is not finished: it has no .*--resume run`"):
        predict("run", ["."])


@pytest.fixture
def forge(trained):
    """Writes a classifier file with a changed header or changed tensors."""

    def write(header=None, tensors=None):
        ours, top = load_tensors(trained.run / "model.safetensors")
        changes = dict(header or {})
        if "format" not in changes:
            changes = {"classifier": {**top["classifier"], **changes}}
        save_tensors(Path("forged.safetensors"), {**ours, **(tensors or {})}, {**top, **changes})
        return Path("forged.safetensors")

    return write


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"network": "resnet-9000"}, "unknown network 'resnet-9000'"),
        ({"network": "lenet"}, "its tensors are not those of the network its header names"),
        ({"network": 7}, "network must be text"),
        ({"arguments": {"__class__": 1}}, "network 'single-conv' has no argument '__class__'"),
        ({"network": "small-residual", "arguments": {"width": 10**9}}, "from 1 to 4096"),
        ({"image_shape": [1, 28]}, "image_shape must be 3 positive sizes"),
        ({"image_shape": [1, -28, 28]}, "image_shape must be at least 1"),
        ({"image_shape": [1, 65536, 65536]}, "tensor 'output.weight' must be"),
        ({"image_shape": [1, 10**12, 28]}, "image_shape must be at most 65536"),
        ({"class_names": ["0"] * 10}, "class_names must be at least 2 different names"),
        ({"class_names": ["a", "b"]}, "must be .* got "),
        ({"normalization": {"mean": [0.1], "std": [0]}}, "std must be greater than 0"),
        ({"normalization": {"mean": [0.1, 0.2], "std": [1]}}, "one mean and one std per channel"),
        ({"normalization": None}, "normalization must be a table"),
        ({"format": 99}, "format 99 is not one this version reads"),
    ],
)
def test_a_hostile_header(forge, header, message):
    with pytest.raises(ClassifierFileError, match=f"forged.safetensors: .*{message}"):
        predict(forge(header), ["."])


def test_tensors_of_another_shape(forge):
    with pytest.raises(ClassifierFileError, match=r"tensor 'output\.bias' must be .* got"):
        predict(forge({}, {"output.bias": torch.zeros(11)}), ["."])
    with pytest.raises(ClassifierFileError, match="unknown: extra"):
        predict(forge({}, {"extra": torch.zeros(11)}), ["."])


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "pickle", "huge header"])
def test_a_damaged_or_foreign_file(trained, damage):
    content = (trained.run / "model.safetensors").read_bytes()
    file = Path("model.safetensors")
    file.write_bytes(
        {
            "empty": b"",
            "cut": content[:-100],
            "text": b"dear reader, this is a letter",
            "pickle": b"\x80\x04\x95\x1e\x00\x00\x00cposix\nsystem\n",
            "huge header": b"\xff" * 8 + content[8:],
        }[damage]
    )
    with pytest.raises(ClassifierFileError, match=r"model\.safetensors is damaged, cut off, or no"):
        predict(file, ["."])


def test_a_safetensors_file_of_someone_else():
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, "other.safetensors")
    with pytest.raises(ClassifierFileError, match="but not one that tellapart wrote"):
        predict("other.safetensors", ["."])
