"""Fine-tuning end to end: what comes from the source, how it is reported, and resuming."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tellapart.config import load_recipe
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ClassifierFileError, ConfigError, DataError, RunError
from tellapart.models.checkpoint import load_classifier, read_classifier, weights_sha256
from tellapart.models.registry import NETWORKS
from tellapart.models.spec import Normalization
from tellapart.runs.folder import RunFolder
from tellapart.runs.planning import TrainingRequest, make_plan
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.finetune import compare, finetune
from tellapart.workflow.predict import predict
from tellapart.workflow.train import train

FIRST, SECOND = "classes=0,1,2,3,4", "classes=5,6,7,8,9"
SHORT = (SECOND, "epochs=3", "batch_size=40", "averaging.decay=0")


@pytest.fixture(scope="session")
def source(tmp_path_factory, digits):
    """A small residual network that knows the digits 0 to 4."""
    settings = [FIRST, "epochs=2", "model.network=small-residual", "model.arguments.width=8"]
    out = tmp_path_factory.mktemp("runs") / "source"
    return train(digits, settings=settings, out=out, session=Session(threads=1))


def weights_of(file):
    return load_classifier(file).network.state_dict()


def test_a_fine_tuned_run_is_a_run_and_reports_what_it_came_from(source, digits):
    result = finetune(source.run, digits, settings=SHORT, out="tuned", session=Session(threads=1))
    run = RunFolder(Path("tuned"))
    reference = json.loads(run.run_file.read_text("utf-8"))["finetuned_from"]
    assert reference["source"] == str(source.run.resolve())
    assert reference["weights_sha256"] == source.weights_sha256
    assert reference["style"]["background"] == "dark"
    classifier, training = read_classifier(run.classifier_file)
    assert training["finetuned_from"] == reference
    assert classifier.class_names == ("5", "6", "7", "8", "9")
    assert (
        classifier.spec.normalization
        == load_classifier(source.run / "model.safetensors").spec.normalization
    )
    recipe = run.read_recipe()
    assert (recipe.name, recipe.model.arguments) == ("finetune-few", {"width": 8})
    assert recipe.finetuning.source == reference["source"]
    content = result.to_json()
    assert content["source"] == reference["source"]
    assert (content["freezing"], content["fraction_trained"]) == (recipe.finetuning.freezing, 1.0)
    assert weights_sha256(classifier.network.state_dict()) == result.weights_sha256
    evaluation = evaluate("tuned", session=Session(threads=1)).evaluation
    assert evaluation.accuracy == result.test_accuracy
    assert evaluation.class_names == ("5", "6", "7", "8", "9")


def test_training_from_zero_reports_nothing_of_a_source(source):
    assert "source" not in source.to_json()
    assert not (source.run / "start.safetensors").exists()
    assert "finetuned_from" not in json.loads((source.run / "run.json").read_text("utf-8"))


def test_a_run_and_its_classifier_file_are_the_same_source(source, digits):
    settings = [*SHORT, "epochs=1"]
    from_run = finetune(source.run, digits, settings=settings, session=Session(threads=1))
    from_file = finetune(
        source.run / "model.safetensors", digits, settings=settings, session=Session(threads=1)
    )
    assert from_run.weights_sha256 == from_file.weights_sha256


def test_frozen_weights_are_the_sources_in_the_end(source, digits):
    finetune(
        source.run, digits, settings=SHORT, freezing="head", out="tuned", session=Session(threads=1)
    )
    before, after = (
        weights_of(source.run / "model.safetensors"),
        weights_of("tuned/model.safetensors"),
    )
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert moved == {"output.weight", "output.bias"}


def test_lora_leaves_an_ordinary_file(source, digits, tmp_path):
    result = finetune(
        source.run, digits, settings=SHORT, lora_rank=2, out="tuned", session=Session(threads=1)
    )
    assert 0 < result.to_json()["fraction_trained"] < 0.3
    before, after = (
        weights_of(source.run / "model.safetensors"),
        weights_of("tuned/model.safetensors"),
    )
    assert after.keys() == before.keys()
    changed = {n for n in after if n[:6] != "output" and not torch.equal(after[n], before[n])}
    assert changed == {n for n in after if n.endswith("conv.weight")}
    assert evaluate("tuned", session=Session(threads=1)).evaluation.accuracy == result.test_accuracy
    again = finetune("tuned", digits, settings=[*SHORT, "epochs=1"], session=Session(threads=1))
    assert again.start.fraction_trained == 1


def test_fine_tuning_helps(source, digits):
    tuned = finetune(source.run, digits, shots=10, settings=[SECOND], session=Session(threads=1))
    [zero] = [way for way in compare_quickly(source, digits) if way.name == "zero"]
    assert tuned.test_accuracy > zero.result.test_accuracy


def compare_quickly(source, digits, **arguments):
    settings = [SECOND, "epochs=2"]
    return compare(
        source.run, digits, settings=settings, shots=10, **arguments, session=Session(threads=1)
    )


def test_a_comparison_trains_five_ways_under_one_budget(source, digits):
    ways = compare_quickly(source, digits, out="ways", seed=3)
    assert [way.name for way in ways] == ["zero", "head", "gradual", "all", "lora"]
    recipes = [RunFolder(way.result.run).read_recipe() for way in ways]
    assert len({repr((r.training, r.data.shots, r.model, r.augmentation)) for r in recipes}) == 1
    assert [r.finetuning.freezing for r in recipes[1:]] == ["head", "gradual", "all", "all"]
    assert [r.finetuning.lora_rank for r in recipes[1:]] == ["none", "none", "none", 4]
    assert recipes[0].finetuning.source == ""
    assert recipes[0].optimizer == load_recipe("small-data").optimizer
    assert [way.fraction_trained == 1 for way in ways] == [True, False, True, True, False]
    assert [way.result.run for way in ways] == [Path("ways") / way.name for way in ways]


RESUMED = {
    "gradual": ("freezing=gradual", "epochs=5", "unfreezing_fraction=1"),
    "lora": ("lora_rank=2", "averaging.decay=0.9", "freezing=1"),
    "l2-sp": ("l2_sp=0.1", "layer_decay=0.5", "freezing=gradual"),
    "prototype": ("head=prototype", "norm_statistics=source"),
    "early stopping": ("validation_fraction=0.3", "patience=1", "lora_rank=2"),
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_resumed_run_ends_on_the_same_weights(
    source, digits, name, interrupt_after, require_same_run
):
    settings = [*SHORT, *RESUMED[name]]
    reference = finetune(
        source.run, digits, settings=settings, out="whole", session=Session(threads=1)
    )
    for epoch in range(reference.num_epochs):
        with pytest.raises(KeyboardInterrupt):
            finetune(
                source.run,
                digits,
                settings=settings,
                out=f"stopped-{epoch}",
                session=Session(threads=1, callbacks=interrupt_after(epoch)),
            )
        resumed = train(resume=f"stopped-{epoch}", session=Session(threads=1))
        require_same_run(resumed, reference)
        assert resumed.to_json()["source"] == str(source.run.resolve())


@pytest.fixture
def borrowed(source, tmp_path):
    """The source where it can be moved and changed."""
    return Path(shutil.copytree(source.run, tmp_path / "borrowed"))


def test_a_run_goes_on_without_its_source(borrowed, digits, interrupt_after, require_same_run):
    settings = [*SHORT, "l2_sp=0.1"]
    reference = finetune(
        borrowed, digits, settings=settings, out="whole", session=Session(threads=1)
    )
    with pytest.raises(KeyboardInterrupt):
        finetune(
            borrowed,
            digits,
            settings=settings,
            out="early",
            session=Session(threads=1, callbacks=interrupt_after(0)),
        )
    shutil.rmtree(borrowed)
    require_same_run(train(resume="early", session=Session(threads=1)), reference)


def test_a_run_that_had_no_time_to_keep_its_start_asks_for_the_same_source(
    borrowed, source, digits, interrupt_after, require_same_run
):
    reference = finetune(borrowed, digits, settings=SHORT, out="whole", session=Session(threads=1))
    with pytest.raises(KeyboardInterrupt):
        finetune(
            borrowed,
            digits,
            settings=SHORT,
            out="early",
            session=Session(threads=1, callbacks=interrupt_after(0)),
        )
    Path("early/start.safetensors").unlink()
    finetune(
        borrowed, digits, settings=[*SHORT, "epochs=1"], out="other", session=Session(threads=1)
    )
    shutil.copy("other/model.safetensors", borrowed / "model.safetensors")
    with pytest.raises(RunError, match=r"the source .*borrowed has changed since run early began"):
        train(resume="early", session=Session(threads=1))
    shutil.copy(source.run / "model.safetensors", borrowed / "model.safetensors")
    require_same_run(train(resume="early", session=Session(threads=1)), reference)


def test_images_of_another_kind_are_adapted_to(source, tmp_path, digits):
    plan = make_plan(
        TrainingRequest(
            digits, settings=["finetuning.source=" + str(source.run), FIRST, "head=source"]
        ),
        Session(),
    )
    assert {entry.outcome for entry in plan.start.transfers} == {"loaded"}
    assert plan.to_json()["fraction_trained"] == 1


def test_normalization_is_the_sources_unless_told_otherwise(source, digits):
    def normalization(*settings):
        asked = [f"finetuning.source={source.run}", SECOND, *settings]
        return make_plan(
            TrainingRequest(digits, settings=asked), Session()
        ).classifier.spec.normalization

    own = load_classifier(source.run / "model.safetensors").spec.normalization
    assert normalization() == own
    assert normalization("normalization=measured") != own
    assert normalization("normalization=none") == Normalization((0.0,), (1.0,))


def test_the_seed_decides_the_weights_of_a_new_head(source, digits):
    def head(seed, *settings):
        asked = [f"finetuning.source={source.run}", SECOND, *settings]
        return make_plan(
            TrainingRequest(digits, settings=asked, seed=seed), Session()
        ).classifier.network.output.weight

    assert torch.equal(head(0), head(0))
    assert not torch.equal(head(0), head(1))


def test_shots_leave_the_test_split_whole_and_are_those_trained_on(source, digits):
    asked = [f"finetuning.source={source.run}", SECOND, "shots=3", "validation_fraction=0.2"]
    plan = make_plan(TrainingRequest(digits, settings=asked), Session())
    assert plan.train.class_counts() == (3,) * 5
    assert plan.data_set.split("test").class_counts() == (6, 7, 13, 11, 11)
    assert len(plan.validation) == 41
    assert plan.recipe.training.batch_size == 15
    train(digits, settings=[*asked, "epochs=1"], out="few", session=Session(threads=1))
    assert len(evaluate("few", split="train", session=Session(threads=1)).evaluation.per_class) == 5
    assert evaluate("few", split="train", session=Session(threads=1)).evaluation.num_images == 15
    assert (
        evaluate("few", split="validation", session=Session(threads=1)).evaluation.num_images == 41
    )


def test_shots_work_from_zero_too(digits):
    result = train(digits, shots=2, settings=["epochs=1"], out="few", session=Session(threads=1))
    recipe = RunFolder(result.run).read_recipe()
    assert (recipe.data.shots, recipe.training.batch_size) == (2, 8)


def test_a_fine_tuned_run_predicts(source, digits, tmp_path):
    from PIL import Image

    Image.new("L", (40, 30), 255).save(tmp_path / "blank.png")
    seven = load_data_set("mnist-sample").split("test").images[700, 0].numpy()
    Image.fromarray(seven).save(tmp_path / "seven.png")
    finetune(
        source.run, digits, settings=[*SHORT, "epochs=1"], out="tuned", session=Session(threads=1)
    )
    session = Session(threads=1)
    [blank, drawn] = predict(
        "tuned", [tmp_path / "blank.png", tmp_path / "seven.png"], session=session
    )
    assert (blank.label, blank.probability, blank.error, blank.found) == (None, None, None, False)
    assert drawn.label in ("5", "6", "7", "8", "9")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["freezing=haed"], r"freezing must be head, all, gradual or a whole number, got 'haed'"),
        (["freezing=9"], r"freezing 9 asks for more stages than the 4 of this network"),
        (["lora_rank=0"], r"lora_rank must be at least 1, got 0"),
        (["lora_rank=99"], r"from 1 to that of the smallest layer, 8 of 'stem.conv'.*got 99"),
        (["lora_rank=2", "freezing=head"], r"lora_rank 2 changes the stages that freezing 'head'"),
        (["lora_rank=2", "l2_sp=1"], r"l2_sp pulls weights to the source's, and with LoRA"),
        (["model.network=lenet"], r"keeps the network of its source, 'small-residual'"),
        (["head=source"], r"head=source needs the source's classes \(0, 1, 2, 3, 4, ...\)"),
        (["weights_file=x.pth"], r"weights_file belongs to a source imagenet or timm:NAME, got"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(source, digits, settings, message):
    with pytest.raises(ConfigError, match=message):
        finetune(
            source.run,
            digits,
            settings=[SECOND, *settings],
            out="tuned",
            session=Session(threads=1),
        )
    assert not Path("tuned").exists()


def test_more_shots_than_images_are_refused(source, digits):
    with pytest.raises(DataError, match=r"999 shots ask for 999 training images a class"):
        finetune(source.run, digits, shots=999, out="tuned", session=Session(threads=1))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("nowhere", ConfigError, "'nowhere' is no run, no classifier file, not imagenet and no"),
        ("empty", RunError, r"empty is not a run: it has no run\.json and recipe\.toml"),
        ("words.txt", ClassifierFileError, "is damaged, cut off, or no safetensors file"),
    ],
)
def test_a_source_that_is_none_is_refused(digits, given, error, message):
    Path("empty").mkdir()
    Path("words.txt").write_text("no classifier", "utf-8")
    with pytest.raises(error, match=message):
        finetune(given, digits, session=Session(threads=1))


def test_a_network_without_an_output_layer_is_refused(source, digits, monkeypatch):
    def nameless(shape, num_classes, *, width=8):
        whole = torch.nn.Conv2d(shape[0], num_classes, shape[1:])
        return torch.nn.Sequential(whole, torch.nn.Flatten())

    monkeypatch.setattr("tellapart.models.registry.NETWORKS", {**NETWORKS, "nameless": nameless})
    settings = ["model.network=nameless", "model.arguments.width=8", FIRST, "epochs=1"]
    train(digits, settings=settings, out="nameless", session=Session(threads=1))
    with pytest.raises(ConfigError, match="0, 1"):
        finetune("nameless", digits, settings=[SECOND], session=Session(threads=1))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (["freezing=head"], r"\[finetuning\]"),
        (["normalization=source"], "data.normalization=source"),
    ],
)
def test_settings_of_fine_tuning_need_a_source(digits, settings, what):
    with pytest.raises(ConfigError, match=rf"{what} needs a source to start from; use `tellapart"):
        train(digits, settings=settings, out="run", session=Session(threads=1))
    assert not Path("run").exists()
