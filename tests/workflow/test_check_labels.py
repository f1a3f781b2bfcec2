"""``data check --labels``, and its corrections on the way through training and evaluation."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart import open_run
from tellapart.cli import run as run_command
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError, DataError, RunError
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.session import Session
from tellapart.workflow.check import check
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.train import train

NUM_FLIPPED = 15
QUICK = {"training.epochs": 1, "model.network": "single-conv", "training.batch_size": 50}
ONE = Session(threads=1)


class Listener(Callbacks):
    def __init__(self):
        self.warnings = []
        self.session = Session(threads=1, callbacks=self)

    def warn(self, text):
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def flipped(tmp_path_factory):
    """Digits in arrays, 15 labels of train and 5 of test flipped; and which."""
    whole = load_data_set("mnist-sample")
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    arrays, wrong = {}, {}
    for split, count, num_flipped in (("train", 1000, NUM_FLIPPED), ("test", 300, 5)):
        part = whole.split(split)
        labels = part.labels[:count].clone()
        wrong[split] = set(range(7, 7 + 11 * num_flipped, 11))
        labels[sorted(wrong[split])] = (labels[sorted(wrong[split])] + 3) % 10
        arrays |= {f"x_{split}": part.images[:count, 0].numpy(), f"y_{split}": labels.numpy()}
    np.savez(path, **arrays)
    return path, wrong, {split: whole.split(split).labels for split in wrong}


@pytest.fixture(scope="module")
def checked(flipped, tmp_path_factory):
    out = tmp_path_factory.mktemp("checked")
    return check(flipped[0], labels=True, out=out, session=ONE)


def rows_of(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_flipped_labels_are_found_in_train_and_in_test(flipped, checked):
    _, wrong, truth = flipped
    suspicious = checked.labels.suspicious
    found = {split: {s.index for s in suspicious if s.split == split} for split in wrong}
    assert len(found["train"] & wrong["train"]) >= 0.7 * NUM_FLIPPED
    assert len(found["test"] & wrong["test"]) >= 3
    num_right = sum(s.index in wrong[s.split] for s in suspicious)
    assert num_right >= 0.6 * len(suspicious)
    for label in suspicious:
        if label.index in wrong[label.split] and label.probability > 0.9:
            assert label.suggested == str(int(truth[label.split][label.index]))
    assert [s.given_probability for s in suspicious] == sorted(
        s.given_probability for s in suspicious
    )


def test_json_table_and_page_list_the_same_labels_in_the_same_order(checked):
    content = json.loads(json.dumps(checked.to_json(), allow_nan=False))
    listed = [
        (s["split"], str(s["index"]), s["given"], s["suggested"]) for s in content["suspicious"]
    ]
    assert listed
    assert listed == [tuple(row.values()) for row in rows_of(content["corrections"])]
    page = Path(content["label_page"]).read_text("utf-8")
    places = [page.index(f'title="{split}, number {index}"') for split, index, *_ in listed]
    assert places == sorted(places)
    assert page.endswith("</html>\n")
    assert "http" not in page.split("</style>")[1]


def test_the_same_check_finds_the_same(flipped, checked, tmp_path):
    again = check(flipped[0], labels=True, out=tmp_path, session=ONE)
    assert again.labels == checked.labels
    for path in ("label_check.html", "corrections.csv"):
        assert (tmp_path / path).read_bytes() == (checked.corrections.parent / path).read_bytes()


def test_without_labels_a_check_is_as_it_was(flipped):
    content = check(flipped[0]).to_json()
    assert not {"suspicious", "corrections", "label_page", "labels"} & content.keys()
    assert not Path("checks").exists()
    with pytest.raises(ConfigError, match="--labels"):
        check(flipped[0], out="there")


@pytest.mark.parametrize("name", ["corrections.csv", "label_check.html"])
def test_nothing_is_overwritten(flipped, tmp_path, name, monkeypatch):
    (tmp_path / name).write_text("edited", "utf-8")

    def never(*_):
        raise AssertionError("the place is examined before anything is trained")

    monkeypatch.setattr("tellapart.workflow.check.check_labels", never)
    for place in ({"out": tmp_path}, {"page": tmp_path / "check.html"}):
        with pytest.raises(RunError, match="edited it") as caught:
            check(flipped[0], labels=True, session=ONE, **place)
        assert str(tmp_path / name) in str(caught.value)
    assert (tmp_path / name).read_text("utf-8") == "edited"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_keeps_the_corrections_that_it_was_trained_with(flipped, checked):
    data = flipped[0]
    file = Path("mine.csv")
    shutil.copy(checked.corrections, file)
    plain = train(data, settings=QUICK, out="plain", session=ONE)
    run = train(data, settings=QUICK, corrections=file, out="run", session=ONE)
    references = [json.loads((r.run / "run.json").read_text())["data"] for r in (plain, run)]
    assert references[0]["fingerprint"] != references[1]["fingerprint"]
    assert not (plain.run / "corrections.csv").exists()
    assert rows_of(run.run / "corrections.csv") == rows_of(file)
    opened = open_run(run.run, session=ONE).splits["test"]
    for row in rows_of(file):
        if row["split"] == "test":
            assert opened.labels[int(row["index"])] == int(row["suggested"])

    # An edited file changes nothing, and is reported; one that is gone is not missed.
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join(lines[:2]) + "\n", "utf-8")
    told = Listener()
    again = evaluate(run.run, session=told.session)
    assert again.evaluation.accuracy == run.test.accuracy
    assert any("mine.csv has changed" in text for text in told.warnings)
    file.unlink()
    told = Listener()
    assert evaluate(run.run, session=told.session).evaluation.accuracy == run.test.accuracy
    assert not any("mine.csv" in text for text in told.warnings)
    resumed = train(resume=run.run, session=ONE)
    assert resumed.weights_sha256 == run.weights_sha256
    (run.run / "corrections.csv").unlink()
    with pytest.raises(RunError, match=r"lacks its corrections\.csv"):
        evaluate(run.run, session=ONE)


def test_an_evaluation_with_other_labels_leaves_that_of_the_run(flipped, checked):
    run = train(flipped[0], settings=QUICK, out="run", session=ONE)
    before = (run.run / "evaluation.json").read_bytes()
    result = evaluate(run.run, corrections=checked.corrections, session=ONE)
    assert result.report.parent.parent == run.run / "evaluations"
    assert (run.run / "evaluation.json").read_bytes() == before
    assert result.evaluation.confusion_matrix != run.test.confusion_matrix
    copy = Path("moved.npz")
    shutil.copy(flipped[0], copy)
    other = evaluate(run.run, copy, corrections=checked.corrections, session=ONE)
    assert other.evaluation.confusion_matrix == result.evaluation.confusion_matrix
    with pytest.raises(ConfigError, match="--corrections"):
        evaluate(run.run, corrections=checked.corrections, recall={"3": 0.9}, session=ONE)


def test_a_check_of_corrected_labels_finds_fewer(flipped, checked, tmp_path):
    again = check(
        flipped[0], labels=True, corrections=checked.corrections, out=tmp_path, session=ONE
    )
    assert len(again.labels.suspicious) < len(checked.labels.suspicious) / 2


def draw(folder: Path, names=("cat", "dog", "owl"), count=20):
    for label, name in enumerate(names):
        for number in range(count):
            path = folder / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(100 * label + number).integers(0, 120, (16, 16, 3))
            noise[..., label % 3] += 100
            Image.fromarray(noise.astype(np.uint8)).save(path)
    return folder


def test_files_are_named_by_their_paths_in_a_folder_without_splits(tmp_path):
    pets = draw(tmp_path / "pets")
    for number in range(2):
        (pets / "cat" / f"{number}.png").rename(pets / "dog" / f"wrong{number}.png")
    result = check(pets, labels=True, out=tmp_path / "out", session=ONE)
    wanted = {"dog/wrong0.png", "dog/wrong1.png"}
    assert wanted <= {row["path"] for row in rows_of(result.corrections)}
    for label in result.to_json()["suspicious"]:
        assert Path(label["path"]).is_file()
    run = train(
        pets,
        settings={**QUICK, "training.batch_size": 10, "data.calibration_fraction": 0.0},
        corrections=result.corrections,
        out="run",
        session=ONE,
    )
    labels = {Path(row["path"]).name: row["label"] for row in rows_of(run.run / "images.csv")}
    assert (labels["wrong0.png"], labels["wrong1.png"]) == ("cat", "cat")
    pets.rename(tmp_path / "moved")
    moved = evaluate(run.run, tmp_path / "moved", session=ONE)
    assert moved.evaluation.confusion_matrix == run.test.confusion_matrix


def test_a_class_of_two_images_is_not_examined_and_that_is_told(tmp_path, capsys):
    pets = draw(tmp_path / "pets")
    draw(pets, ("rare",), count=2)
    assert (
        run_command(["data", "check", str(pets), "--labels", "--out", str(tmp_path / "out")]) == 0
    )
    printed = capsys.readouterr().out
    assert "not examined" in printed
    assert "'rare'" in printed
    assert "'rare'" in (tmp_path / "out" / "label_check.html").read_text("utf-8").replace(
        "&#x27;", "'"
    )
    draw(tmp_path / "few", ("a", "b"), count=2)
    with pytest.raises(DataError, match="at least two classes"):
        check(tmp_path / "few", labels=True, settings=["data.test_fraction=0"], session=ONE)


def test_the_command_prints_and_refuses(flipped, tmp_path, capsys):
    bad = tmp_path / "bad.csv"
    bad.write_text("split,index,given,suggested\ntrain,99999,1,2\n", "utf-8")
    quick = ["--set", "epochs=1", "--set", "model.network=single-conv"]
    run = train(flipped[0], settings=QUICK, out="run", session=ONE).run
    for command in (
        ["train", str(flipped[0]), *quick],
        ["finetune", str(run), str(flipped[0])],
        ["evaluate", str(run)],
        ["data", "check", str(flipped[0])],
    ):
        assert run_command([*command, "--corrections", str(bad)]) == 2
        error = capsys.readouterr().err
        assert f"{bad}: line 2" in error
        assert "99999" in error
        assert "Traceback" not in error
    assert torch.is_tensor(load_data_set(flipped[0]).split("train").labels)
