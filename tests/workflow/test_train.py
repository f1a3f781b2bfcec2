"""`train`: what is settled before, what lies in the run after, and what is refused in between."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tellapart.config import Recipe, load_recipe, recipe_from_mapping
from tellapart.data.sets.idx import write_idx
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError, DataError, DeviceError, DivergedError, RunError
from tellapart.models.checkpoint import load_classifier, read_classifier, weights_sha256
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import RunFolder
from tellapart.runs.planning import TrainingRequest, make_plan
from tellapart.runs.session import Session
from tellapart.workflow.train import plan_training, train

# Read here, because the tests themselves are kept from finding it.
FULL_DATA = os.environ.get("TELLAPART_DATA")
QUICK = ("epochs=1", "batch_size=50", "model.network=single-conv")
FILES = {
    "recipe.toml",
    "run.json",
    "environment.json",
    "metrics.csv",
    "training_state.safetensors",
    "model.safetensors",
    "evaluation.json",
    "report.html",
}


def names_in(folder: str | Path = ".") -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def test_a_run_holds_all_that_came_of_it(trained):
    run = RunFolder(trained.run)
    assert names_in(run.path) == FILES | {"calibration.safetensors"}
    assert run.evaluation_file.exists()
    assert run.read_recipe().model.network == "single-conv"
    assert run.read_data_reference().source == "mnist-sample"
    assert [row["epoch"] for row in run.read_metrics()] == [1]
    assert json.loads(run.evaluation_file.read_text("utf-8"))["accuracy"] == trained.test_accuracy
    environment = json.loads(run.environment_file.read_text("utf-8"))
    assert environment["torch"] == torch.__version__
    assert environment["threads"] == 1
    classifier = load_classifier(run.classifier_file)
    assert weights_sha256(classifier.network.state_dict()) == trained.weights_sha256
    page = run.report_file.read_text("utf-8")
    assert f"{100 * trained.test_accuracy:.1f}" in page


def test_the_classifier_file_reports_where_it_comes_from(trained):
    classifier, training = read_classifier(trained.run / "model.safetensors")
    assert classifier.class_names == tuple("0123456789")
    assert training["data"] == "mnist-sample"
    assert training["data_licence"].startswith("CC BY-SA 3.0")
    recipe = recipe_from_mapping(training["recipe"], origin="header")
    assert recipe == RunFolder(trained.run).read_recipe()
    assert training["test"]["accuracy"] == trained.test_accuracy
    assert training["test"]["num_images"] == 1000


def test_the_result_as_json(trained):
    content = json.loads(json.dumps(trained.to_json(), allow_nan=False))
    assert content["run"] == str(trained.run)
    assert content["num_parameters"] == 13610
    assert content["num_epochs"] == 1
    assert 0 < content["train_seconds"] < content["total_seconds"]
    assert content["validation_accuracy"] is None
    low, high = content["test_accuracy_interval"]
    assert low < content["test_accuracy"] < high
    assert content["test_accuracy"] > 0.8


def test_the_same_seed_gives_the_same_weights_and_another_one_others(digits):
    first = train(digits, settings=QUICK, seed=3, out="first", session=Session(threads=1))
    second = train(digits, settings=QUICK, seed=3, out="second", session=Session(threads=1))
    other = train(digits, settings=QUICK, seed=4, out="other", session=Session(threads=1))
    assert first.seed == 3
    assert first.weights_sha256 == second.weights_sha256 != other.weights_sha256
    assert first.test == second.test


def test_training_leaves_torchs_generator_alone(digits):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(
        digits,
        settings=["epochs=1", "model.network=dropout"],
        out="run",
        session=Session(threads=1),
    )
    assert torch.equal(torch.rand(3), expected)


def test_two_runs_get_two_folders(digits):
    runs = [train(digits, settings=QUICK, session=Session(threads=1)).run for _ in range(2)]
    assert runs == [Path("runs/digits-small-data-1"), Path("runs/digits-small-data-2")]


def test_a_taken_folder_is_left_as_it_is(digits):
    Path("taken").mkdir()
    Path("taken/letter.txt").write_text("dear", "utf-8")
    with pytest.raises(RunError, match="taken is not empty and is left as it is; choose another"):
        train(digits, settings=QUICK, out="taken", session=Session(threads=1))
    assert names_in("taken") == {"letter.txt"}
    assert Path("taken/letter.txt").read_text("utf-8") == "dear"


def test_an_empty_folder_is_taken_and_missing_ones_are_made(digits):
    Path("empty").mkdir()
    assert train(digits, settings=QUICK, out="empty", session=Session(threads=1)).run == Path(
        "empty"
    )
    assert train(digits, settings=QUICK, out="a/b/c", session=Session(threads=1)).run == Path(
        "a/b/c"
    )


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_where_the_folder_should_be(digits, out):
    Path("file").write_text("dear", "utf-8")
    with pytest.raises(RunError, match=f"cannot make the run folder {out}: .*; choose another"):
        train(digits, settings=QUICK, out=out, session=Session(threads=1))
    assert names_in() == {"file"}


def test_no_place_for_runs(digits):
    Path("runs").write_text("dear", "utf-8")
    with pytest.raises(RunError, match=r"cannot make the .*folder runs"):
        train(digits, settings=QUICK, session=Session(threads=1))
    assert Path("runs").read_text("utf-8") == "dear"


def test_validation_is_carved_from_train_and_reported(digits):
    result = train(
        digits,
        settings=[*QUICK, "data.validation_fraction=0.25"],
        out="run",
        session=Session(threads=1),
    )
    rows = RunFolder(result.run).read_metrics()
    assert rows[0]["validation_accuracy"] == result.validation_accuracy
    plan = make_plan(
        TrainingRequest(digits, settings=[*QUICK, "data.validation_fraction=0.25"]), Session()
    )
    assert len(plan.train) + len(plan.validation) == 400
    for kept, held_out in zip(
        plan.train.class_counts(), plan.validation.class_counts(), strict=True
    ):
        assert abs(held_out - (kept + held_out) / 4) <= 0.5
    other = make_plan(
        TrainingRequest(
            digits, settings=[*QUICK, "data.validation_fraction=0.25", "data.split_seed=1"]
        ),
        Session(),
    )
    assert not torch.equal(other.validation.images, plan.validation.images)


def test_normalisation_is_measured_on_what_is_trained_on(digits):
    whole = make_plan(
        TrainingRequest(digits, settings=QUICK), Session()
    ).classifier.spec.normalization
    carved = make_plan(
        TrainingRequest(digits, settings=[*QUICK, "data.validation_fraction=0.5"]), Session()
    )
    assert carved.classifier.spec.normalization != whole
    pixels = carved.train.images.double() / 255
    assert carved.classifier.spec.normalization.mean[0] == pytest.approx(float(pixels.mean()))


def test_a_data_set_without_a_test_split_has_no_test_accuracy(tmp_path, make_digits):
    folder = make_digits(tmp_path / "digits")
    for file in folder.glob("t10k-*"):
        file.unlink()
    settings = [*QUICK, "data.test_fraction=0"]
    result = train(folder, settings=settings, out="run", session=Session(threads=1))
    assert (result.test, result.test_accuracy, result.test_accuracy_interval) == (None,) * 3
    content = result.to_json()
    assert content["test_accuracy"] is content["test_accuracy_interval"] is None
    assert names_in("run") == FILES - {"evaluation.json", "report.html"}


def test_a_validation_split_of_the_data_is_enough_for_patience(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    labels = np.arange(60) % 2
    arrays = {f"{kind}_{name}": part for name, cut in (("train", slice(40)), ("val", slice(40, 60)))
              for kind, part in (("x", images[cut]), ("y", labels[cut]))}  # fmt: skip
    np.savez(tmp_path / "own.npz", **arrays)
    settings = ["model.network=single-conv", "patience=2", "batch_size=8", "data.test_fraction=0"]
    plan = make_plan(TrainingRequest(tmp_path / "own.npz", settings=settings), Session())
    assert len(plan.validation) == 20
    asked = [*settings, "data.validation_fraction=0.1"]
    plan = make_plan(TrainingRequest(tmp_path / "own.npz", settings=asked), Session())
    assert len(plan.validation) == 20
    assert any("data.validation_fraction" in note for note in plan.data_set.notes)


def test_the_data_decides_the_recipe():
    plan = make_plan(TrainingRequest(), Session())
    assert plan.data.name == "mnist-sample"
    assert plan.recipe == load_recipe("small-data")
    assert plan.reason == "4,000 training images are few: more, shorter epochs"
    assert make_plan(TrainingRequest(recipe="tutorial-lenet"), Session()).reason == ""


def test_a_recipe_may_be_a_name_a_file_or_an_object(digits):
    load = load_recipe("tutorial-lenet")
    Path("mine.toml").write_text(load.to_toml(), "utf-8")
    for given in ("tutorial-lenet", "mine.toml", Path("mine.toml"), load):
        assert make_plan(TrainingRequest(digits, recipe=given), Session()).recipe == load
    assert make_plan(TrainingRequest(digits, recipe=Recipe()), Session()).recipe == Recipe()


def test_the_seed_given_wins_over_the_recipe_and_settings(digits):
    assert (
        make_plan(
            TrainingRequest(digits, settings=["seed=3"], seed=4), Session()
        ).recipe.training.seed
        == 4
    )
    with pytest.raises(ConfigError, match=r"^seed must be at least 0, got -1$"):
        make_plan(TrainingRequest(digits, seed=-1), Session())


def test_planning_writes_nothing(digits):
    plan, _ = plan_training(TrainingRequest(digits, settings=QUICK), Session())
    assert plan.to_json()["num_images"] == {"train": 400, "test": 100}
    assert names_in() == set()


def test_the_watcher_is_told_in_order(digits):
    class Diary(Callbacks):
        def __init__(self):
            self.lines = []

        def on_plan(self, plan):
            self.lines.append(f"plan {plan.data.name}")

        def on_step(self, epoch, done, total, mean_loss):
            assert mean_loss > 0
            self.lines.append(f"step {epoch} {done}/{total}")

        def on_epoch_end(self, report, num_epochs):
            self.lines.append(f"epoch {report.epoch}/{num_epochs}")

        def __exit__(self, *error):
            self.lines.append("over")

    diary = Diary()
    train(
        digits,
        settings=[*QUICK, "epochs=2"],
        out="run",
        session=Session(threads=1, callbacks=diary),
    )
    assert [re.sub(" .*/", " ", line) for line in diary.lines if "step" not in line] == [
        "plan digits",
        "epoch 2",
        "epoch 2",
        "over",
    ]
    assert "step 1 400/400" in diary.lines
    assert diary.lines.index("step 1 400/400") < diary.lines.index("epoch 1/2")


def test_a_watcher_that_fails_does_not_cost_the_epoch(digits, epochs_saved_in):
    class Clumsy(Callbacks):
        def on_epoch_end(self, *_):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(digits, settings=QUICK, out="run", session=Session(threads=1, callbacks=Clumsy()))
    assert epochs_saved_in(Path("run")) == 1


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"data": "mnits-sample"}, DataError, "did you mean 'mnist-sample'?"),
        ({"data": "nowhere"}, DataError, "no data set is called 'nowhere'"),
        ({"recipe": "small-dat"}, ConfigError, "did you mean 'small-data'?"),
        ({"recipe": "gone.toml"}, ConfigError, "recipe file 'gone.toml' does not exist"),
        ({"settings": ["epoch=2"]}, ConfigError, "did you mean 'training.epochs'?"),
        ({"settings": ["epochs=0"]}, ConfigError, "epochs must be at least 1, got 0"),
        ({"settings": ["epochs=x"]}, ConfigError, "epochs must be a whole number, got 'x'"),
        (
            {"settings": ["learning_rate=-1"]},
            ConfigError,
            "learning_rate must be greater than 0, got -1.0",
        ),
        ({"settings": ["model.network=lenett"]}, ConfigError, "did you mean 'lenet'?"),
        ({"settings": ["patience=2"]}, ConfigError, "patience 2 needs a validation split to watch"),
        (
            {"settings": ["batch_size=401"]},
            ConfigError,
            "batch_size 401 is larger than the train split (400 images)",
        ),
        ({"session": Session(device="tpu")}, DeviceError, "unknown device 'tpu'; use auto, cpu"),
        ({"session": Session(threads=0)}, DeviceError, "threads must be at least 1, got 0"),
        (
            {"session": Session(data_dir=Path("gone")), "data": "mnist"},
            DataError,
            "the data folder gone does not exist",
        ),
    ],
)
def test_a_wrong_request_leaves_nothing_behind(digits, request_, error, message):
    with pytest.raises(error, match=re.escape(message)):
        train(**{"data": digits, **request_})
    assert names_in() == set()


def write_folder(labels, shape=(28, 28)):
    labels = np.array(labels, dtype=np.uint8)
    pictures = np.random.default_rng(0).integers(0, 255, (len(labels), *shape), dtype=np.uint8)
    Path("idx").mkdir()
    write_idx(Path("idx/train-images-idx3-ubyte"), pictures)
    write_idx(Path("idx/train-labels-idx1-ubyte"), labels)
    return Path("idx")


@pytest.mark.parametrize(
    ("labels", "settings", "error", "message"),
    [
        ([0, 2] * 5, (), DataError, "but no image with label 1; number the classes"),
        ([0] * 10, (), DataError, "idx has one class, '0'; a classifier tells at least 2 apart"),
        ([0, 1, 1, 1], ("validation_fraction=0.2",), DataError, "class '0' has 1: add images"),
    ],
)
def test_classes_that_cannot_be_learned(labels, settings, error, message):
    folder = write_folder(labels)
    with pytest.raises(error, match=re.escape(message)):
        train(folder, settings=["batch_size=2", *settings])
    assert names_in() == {"idx"}


def test_images_too_small_for_the_network():
    folder = write_folder([0, 1] * 5, shape=(2, 2))
    with pytest.raises(ConfigError, match=r"cannot take images of .* \(1, 2, 2\)"):
        train(folder, settings=["batch_size=2", "model.network=single-conv"])
    assert names_in() == {"idx"}


def test_a_loss_that_explodes_is_an_error_and_the_run_has_no_classifier(digits):
    settings = ("epochs=1", "optimizer=sgd", "learning_rate=1e30", "schedule=constant")
    with pytest.raises(DivergedError, match=r"the loss is .* in epoch 1, batch .*; try --set"):
        train(digits, settings=settings, out="run", session=Session(threads=1))
    assert not Path("run/model.safetensors").exists()
    assert not RunFolder(Path("run")).evaluation_file.exists()


def refuse_to_sync(monkeypatch, name):
    """The disk is full for the file ``name``."""
    sync = os.fsync

    def full(descriptor):
        if list(Path("run").glob(f".{name}.*.part")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)


@pytest.mark.parametrize("name", sorted(FILES - {"recipe.toml", "run.json"}))
def test_a_full_disk_costs_at_most_the_file_being_written(
    digits, monkeypatch, interrupt_after, require_same_run, name
):
    settings = [*QUICK, "epochs=3"]
    reference = train(digits, settings=settings, out="whole", session=Session(threads=1))
    with pytest.raises(KeyboardInterrupt):
        train(
            digits,
            settings=settings,
            out="run",
            session=Session(threads=1, callbacks=interrupt_after(1)),
        )
    old = {path.name: path.read_bytes() for path in Path("run").iterdir()}
    with monkeypatch.context() as patch:
        refuse_to_sync(patch, name)
        message = f"cannot write run/{name}: No space left on device"
        if name in ("report.html", "evaluation.json"):  # the figures are given in any case
            result = train(resume="run", session=Session(threads=1))
            assert result.test == reference.test
            assert message in result.not_written
        else:
            with pytest.raises(RunError, match=f"{message}.*untouched"):
                train(resume="run", session=Session(threads=1))
    assert not list(Path("run").glob(".*"))
    if name in old:
        assert Path("run", name).read_bytes() == old[name]
    else:
        assert not Path("run", name).exists()
    assert not Path("run/evaluation.json").exists()
    require_same_run(train(resume="run", session=Session(threads=1)), reference)


@pytest.mark.skipif(not FULL_DATA, reason="needs the full MNIST; set TELLAPART_DATA")
def test_the_data_is_found_again_in_the_same_data_dir():
    Path("archive").symlink_to(Path(FULL_DATA).resolve())
    plan = make_plan(TrainingRequest("mnist", settings=QUICK), Session(data_dir=Path("archive")))
    assert plan.data.data_dir == str(Path(FULL_DATA).resolve())
    assert plan.to_json()["num_images"] == {
        "train": 58797,
        "calibration": 1203,
        "test": 10000,
    }
    assert plan.recipe.name == "standard"


@pytest.mark.slow
def test_the_default_recipe_on_the_default_data():
    result = train(session=Session(threads=1))
    assert result.data == "mnist-sample"
    assert result.test_accuracy >= 0.97
    pictures = load_data_set("mnist-sample").split("test")
    classifier = load_classifier(result.run / "model.safetensors")
    with torch.inference_mode():
        right = classifier(pictures.images).argmax(1) == pictures.labels
    assert float(right.double().mean()) == pytest.approx(result.test_accuracy, abs=0.002)
