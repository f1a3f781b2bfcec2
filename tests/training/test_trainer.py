"""The trainer does what a plain loop does, says so when it fails, and resumes bit for bit."""

import copy
import json
import math
import re

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tellapart.errors import ConfigError, DivergedError
from tellapart.models.checkpoint import load_tensors, save_tensors, weights_sha256
from tellapart.runtime import derived_seed, generator
from tellapart.training import trainer as trainer_module
from tellapart.training.optimizer import build_optimizer

SGD = ["optimizer=sgd", "learning_rate=0.05"]
MOMENTUM = [*SGD, "momentum=0.9"]


def weights_of(trainer):
    return {name: t.clone() for name, t in trainer.classifier.network.state_dict().items()}


def final_hash(trainer):
    return weights_sha256(trainer.classifier.network.state_dict())


def batches_of(trainer, epoch):
    """The pictures and labels of an epoch in the order that the trainer promises."""
    settings = trainer.recipe.training
    order = torch.randperm(len(trainer.train), generator=generator(settings.seed, "order", epoch))
    for indices in order.split(settings.batch_size):
        yield trainer.train.images[indices], trainer.train.labels[indices]


def plain_epoch(classifier, optimizer, trainer, epoch):
    """One epoch as any tutorial writes it; mean loss and accuracy over pictures."""
    torch.manual_seed(derived_seed(trainer.recipe.training.seed, "dropout", epoch))
    classifier.train()
    total, hits = 0.0, 0
    for images, labels in batches_of(trainer, epoch):
        logits = classifier(images)
        loss = cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        hits += int((logits.argmax(1) == labels).sum())
    return total / len(trainer.train), hits / len(trainer.train)


NETWORK_CASES = ["lenet", "dropout", "small-residual"]


@pytest.mark.parametrize("network", NETWORK_CASES)
def test_two_epochs_equal_a_hand_written_loop_bit_for_bit(make, network):
    trainer = make.trainer([f"network={network}", "epochs=2", *MOMENTUM])
    classifier = copy.deepcopy(trainer.classifier)
    optimizer = build_optimizer(trainer.recipe.optimizer, classifier.network)
    for report in trainer.epochs():
        loss, accuracy = plain_epoch(classifier, optimizer, trainer, report.epoch)
        assert report.train_loss == pytest.approx(loss, rel=1e-6)
        assert report.train_accuracy == accuracy
    assert final_hash(trainer) == weights_sha256(classifier.network.state_dict())


@pytest.mark.parametrize("network", ["lenet", "small-residual"])
def test_an_epoch_equals_a_loop_without_any_of_our_layouts_or_fused_steps(make, network):
    trainer = make.trainer([f"network={network}", "epochs=1", *MOMENTUM])
    classifier = copy.deepcopy(trainer.classifier).to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.SGD(
        classifier.parameters(), lr=0.05, momentum=0.9, foreach=False, fused=False
    )
    plain_epoch(classifier, optimizer, trainer, 1)
    list(trainer.epochs())
    wanted = classifier.network.state_dict()
    # Other layouts add the same products in another order: the last digits differ.
    for name, tensor in trainer.classifier.network.state_dict().items():
        assert torch.allclose(tensor, wanted[name], rtol=1e-4, atol=1e-5), name


def test_every_picture_is_seen_once_an_epoch_and_in_another_order_each_time(make):
    trainer = make.trainer(["epochs=2"])
    seen = []
    trainer.classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    list(trainer.epochs())
    first, second = torch.cat(seen[:5]), torch.cat(seen[5:])
    assert [len(batch) for batch in seen] == [5, 5, 5, 5, 3] * 2
    assert not torch.equal(first, second)
    for epoch in (first, second):
        assert {p.numpy().tobytes() for p in epoch} == {
            p.numpy().tobytes() for p in trainer.train.images
        }


def test_the_seed_decides_order_and_dropout(make):
    hashes = {
        final_hash(trainer)
        for seed in (0, 0, 1)
        for trainer in [make.trainer(["network=dropout", "epochs=1", f"seed={seed}"])]
        if list(trainer.epochs())
    }
    assert len(hashes) == 2


def test_dropout_is_on_in_every_epoch_and_off_in_validation(make):
    trainer = make.trainer(["network=dropout", "epochs=3"], validation=make.images(7, seed=2))
    modes = []
    for dropout in (trainer.classifier.network.dropout1, trainer.classifier.network.dropout2):
        dropout.register_forward_hook(
            lambda module, inputs, out: modes.append(
                (module.training, bool((out == 0).sum() > (inputs[0] == 0).sum()))
            )
        )
    list(trainer.epochs())
    training, validation = [(True, True)] * 10, [(False, False)] * 2
    assert modes == (training + validation) * 3


def test_a_classifier_that_arrives_or_is_put_in_evaluation_mode_trains_all_the_same(make):
    wanted, trainer = (make.trainer(["network=dropout", "epochs=2"]) for _ in range(2))
    list(wanted.epochs())
    trainer.classifier.eval()
    for _ in trainer.epochs():
        trainer.classifier.eval()
    assert final_hash(trainer) == final_hash(wanted)


def test_validation_uses_and_leaves_the_statistics_of_training(make):
    settings = ["network=small-residual", "epochs=2"]
    validated = make.trainer(settings, validation=make.images(7, seed=2))
    alone = make.trainer(settings)
    list(validated.epochs())
    list(alone.epochs())
    assert final_hash(validated) == final_hash(alone)
    assert validated.classifier.network.stem.norm.num_batches_tracked == 10


@pytest.mark.parametrize("settings", [[], ["averaging.decay=0.5"]], ids=["plain", "average"])
@pytest.mark.parametrize("network", NETWORK_CASES)
def test_the_last_validation_is_of_the_weights_that_are_kept(make, network, settings):
    validation = make.images(7, seed=2)
    trainer = make.trainer([f"network={network}", *settings], validation=validation)
    *_, last = trainer.epochs()
    logits = trainer.classifier.eval()(validation.images)
    assert last.validation_loss == pytest.approx(
        cross_entropy(logits, validation.labels).item(), rel=1e-5
    )
    assert last.validation_accuracy == pytest.approx(
        (logits.argmax(1) == validation.labels).float().mean().item()
    )


def test_the_average_is_kept_and_differs_from_the_last_step(make):
    averaged, plain = make.trainer([*SGD, "averaging.decay=0.5"]), make.trainer(SGD)
    list(averaged.epochs())
    list(plain.epochs())
    assert final_hash(averaged) == weights_sha256(averaged.average.network.state_dict())
    assert final_hash(averaged) != final_hash(plain)


def test_without_validation_nothing_is_said_of_it(make):
    (report,) = make.trainer(["epochs=1"]).epochs()
    assert report.validation_loss is None
    assert report.validation_accuracy is None


def test_a_report_carries_the_last_rate_and_the_speed(make):
    trainer = make.trainer([*SGD, "schedule=cosine", "epochs=2"])
    first, second = trainer.epochs()
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.learning_rate == trainer.schedule.at(4)
    assert second.learning_rate == trainer.schedule.at(9)
    assert first.images_per_second == pytest.approx(23 / first.seconds)
    json.dumps([vars(first)], allow_nan=False)


@pytest.mark.parametrize("name", ["constant", "step", "cosine", "one-cycle"])
def test_every_step_has_the_rate_of_its_schedule(make, name):
    trainer = make.trainer([*SGD, f"schedule={name}", "step_epochs=1", "epochs=2"])
    used = []
    # Looked at in the forward pass, after which nothing moves the rate until the step is taken.
    trainer.classifier.register_forward_hook(
        lambda *_: used.append({group["lr"] for group in trainer.optimizer.param_groups})
    )
    list(trainer.epochs())
    assert used == [{trainer.schedule.at(step)} for step in range(10)]


def test_learning_lowers_the_loss(make):
    trainer = make.trainer(["network=small-residual", "epochs=8", "learning_rate=0.01"])
    reports = list(trainer.epochs())
    assert reports[-1].train_loss < 0.5 * reports[0].train_loss


# One step over all pictures, so that what a setting does can be written down.
ONE_STEP = [*SGD, "learning_rate=0.1", "epochs=1", "batch_size=23"]


def one_step(make, *settings):
    """Weights before, weights after, the report."""
    trainer = make.trainer([*ONE_STEP, *settings])
    before = weights_of(trainer)
    (report,) = trainer.epochs()
    return before, weights_of(trainer), report


def test_l1_pulls_kernels_towards_0_and_leaves_biases_and_the_reported_loss(make):
    before, plain, plain_report = one_step(make)
    _, pulled, report = one_step(make, "l1=0.01")
    assert report.train_loss == plain_report.train_loss
    for name, start in before.items():
        pull = 0.1 * 0.01 * start.sign() if start.ndim > 1 else torch.zeros_like(start)
        assert torch.allclose(plain[name] - pulled[name], pull, atol=1e-6), name


def test_weight_decay_pulls_kernels_in_proportion(make):
    before, plain, _ = one_step(make)
    _, pulled, _ = one_step(make, "weight_decay=0.5")
    for name, start in before.items():
        pull = 0.1 * 0.5 * start if start.ndim > 1 else torch.zeros_like(start)
        assert torch.allclose(plain[name] - pulled[name], pull, atol=1e-6), name


def test_clipping_shortens_a_step_and_keeps_its_direction(make):
    before, plain, _ = one_step(make)
    _, clipped, _ = one_step(make, "gradient_clip_norm=0.001")
    steps = [
        torch.cat([(after[name] - before[name]).flatten() for name in before])
        for after in (plain, clipped)
    ]
    assert steps[0].norm() > 0.01
    assert steps[1].norm().item() == pytest.approx(0.1 * 0.001, rel=1e-3)
    assert nn.functional.cosine_similarity(*steps, dim=0) > 0.999


def test_a_gradient_shorter_than_the_limit_is_not_clipped(make):
    assert weights_sha256(one_step(make)[1]) == weights_sha256(
        one_step(make, "gradient_clip_norm=1e6")[1]
    )


def test_label_smoothing_enters_the_loss_and_the_step(make):
    trainer = make.trainer([*ONE_STEP, "label_smoothing=0.2"])
    classifier = copy.deepcopy(trainer.classifier)
    ((images, labels),) = batches_of(trainer, 1)
    loss = cross_entropy(classifier(images), labels, label_smoothing=0.2)
    loss.backward()
    (report,) = trainer.epochs()
    assert report.train_loss == pytest.approx(loss.item(), rel=1e-6)
    for ours, start in zip(trainer.classifier.parameters(), classifier.parameters(), strict=True):
        assert torch.allclose(ours, start - 0.1 * start.grad, atol=1e-6)


def script_validation(monkeypatch, trainer, losses):
    monkeypatch.setattr(trainer, "stop_metric", "loss")
    measured = [{"loss": loss, "accuracy": 0.5, "macro-f1": 0.5} for loss in losses]
    monkeypatch.setattr(trainer, "_validate", lambda epoch: measured[epoch - 1])


def test_early_stopping_stops_after_its_patience_and_ends_on_the_best_weights(make, monkeypatch):
    trainer = make.trainer([*SGD, "patience=2", "epochs=9"], validation=make.images(7, seed=2))
    script_validation(monkeypatch, trainer, [3, 1, 2, 1.5, 0, 0, 0, 0, 0])
    after = {report.epoch: final_hash(trainer) for report in trainer.epochs()}
    assert list(after) == [1, 2, 3, 4]
    assert trainer.is_finished
    assert final_hash(trainer) == after[2]
    assert final_hash(trainer) != after[4]


def test_patience_that_never_runs_out_ends_on_the_best_weights_too(make, monkeypatch):
    trainer = make.trainer([*SGD, "patience=5", "epochs=3"], validation=make.images(7, seed=2))
    script_validation(monkeypatch, trainer, [3, 1, 2])
    after = [final_hash(trainer) for _ in trainer.epochs()]
    assert final_hash(trainer) == after[1]


def test_without_patience_the_last_weights_are_kept(make, monkeypatch):
    trainer = make.trainer([*SGD, "epochs=3"], validation=make.images(7, seed=2))
    script_validation(monkeypatch, trainer, [1, 2, 3])
    after = [final_hash(trainer) for _ in trainer.epochs()]
    assert final_hash(trainer) == after[2]


RESUMED = {
    "lion": ["optimizer=lion", "learning_rate=0.001", "weight_decay=0.1"],
    "muon": ["network=small-residual", "optimizer=muon", "learning_rate=0.01"],
    "sgd": SGD,
    "momentum": MOMENTUM,
    "nesterov": [*MOMENTUM, "nesterov=true", "weight_decay=0.01"],
    "adam": ["optimizer=adam", "learning_rate=0.01"],
    "adamw": ["optimizer=adamw", "weight_decay=0.1", "learning_rate=0.01"],
    "dropout": ["network=dropout", "optimizer=adam"],
    "channel dropout": ["network=dropout", "model.arguments.channels=true", *MOMENTUM],
    "norms": ["network=small-residual", *MOMENTUM],
    "cosine": [*MOMENTUM, "schedule=cosine"],
    "one-cycle": [*MOMENTUM, "schedule=one-cycle"],
    "step": [*MOMENTUM, "schedule=step", "step_epochs=1"],
    "l1": [*MOMENTUM, "l1=0.001"],
    "clipping": [*MOMENTUM, "gradient_clip_norm=0.1"],
    "smoothing": [*MOMENTUM, "label_smoothing=0.1"],
    "squared error": [*MOMENTUM, "training.loss=squared-error", "patience=1"],
    "patience": ["optimizer=adam", "learning_rate=0.01", "patience=1", "epochs=4"],
    "average": ["network=small-residual", *MOMENTUM, "averaging.decay=0.9"],
    "average, patience": [*MOMENTUM, "averaging.decay=0.9", "patience=1"],
    "augmentation": [
        *MOMENTUM,
        "shift_pixels=2",
        "rotation_degrees=10",
        "erase_probability=0.5",
        "mixup_alpha=0.2",
        "cutmix_alpha=1",
    ],
}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("case", RESUMED)
def test_a_run_stopped_after_every_epoch_ends_on_the_same_bits(make, tmp_path, case, precision):
    options = {"validation": make.images(9, seed=2), "precision": precision}
    whole = make.trainer(RESUMED[case], **options)
    reports = list(whole.epochs())
    path = tmp_path / "state.safetensors"
    resumed = make.trainer(RESUMED[case], **options)
    while not resumed.is_finished:
        next(resumed.epochs())
        save_tensors(path, *resumed.state())
        resumed = make.trainer(RESUMED[case], **options)
        with torch.no_grad():
            for weight in resumed.classifier.parameters():
                weight.fill_(7.0)  # nothing may come from the fresh network
        resumed.restore(*load_tensors(path))
    assert list(resumed.epochs()) == []
    assert final_hash(resumed) == final_hash(whole)

    def numbers(report):
        return {k: v for k, v in vars(report).items() if "second" not in k}

    assert [numbers(r) for r in resumed.history] == [numbers(r) for r in reports]


def test_what_stopped_inside_an_epoch_takes_it_again_from_its_start(make, tmp_path):
    whole = make.trainer(MOMENTUM)
    list(whole.epochs())
    killed = make.trainer(MOMENTUM)
    next(killed.epochs())
    tensors, header = killed.state()
    save_tensors(tmp_path / "state", tensors, header)

    def stop(done, total, loss):
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(killed.epochs(stop))
    resumed = make.trainer(MOMENTUM)
    resumed.restore(*load_tensors(tmp_path / "state"))
    list(resumed.epochs())
    assert final_hash(resumed) == final_hash(whole)


def test_the_state_of_another_recipe_is_refused(make):
    trainer = make.trainer(MOMENTUM)
    next(trainer.epochs())
    tensors, header = trainer.state()
    for other in (["network=small-residual", *MOMENTUM], ["optimizer=adam"]):
        with pytest.raises(ConfigError, match="fit this recipe"):
            make.trainer(other).restore(tensors, header)


@pytest.mark.parametrize(
    "change",
    [
        {"history": None},
        {"history": [{"epoch": 1}]},
        {"history": [3]},
        {"best_epoch": "first"},
        {"best_loss": "low"},
    ],
    ids=str,
)
def test_a_damaged_state_is_refused(make, change):
    trainer = make.trainer(MOMENTUM)
    next(trainer.epochs())
    tensors, header = trainer.state()
    with pytest.raises(ConfigError, match=r"^the training state does not fit this recipe: .+"):
        make.trainer(MOMENTUM).restore(tensors, header | change)
    missing = {name: header[name] for name in header if name not in change}
    with pytest.raises(ConfigError, match=r"^the training state does not fit this recipe: .+"):
        make.trainer(MOMENTUM).restore(tensors, missing)


def test_a_state_fits_json(make):
    trainer = make.trainer(["patience=1"], validation=make.images(7, seed=2))
    json.dumps(trainer.state()[1], allow_nan=False)  # no epoch yet: best_loss is infinite
    next(trainer.epochs())
    json.dumps(trainer.state()[1], allow_nan=False)


@pytest.mark.parametrize("network", NETWORK_CASES)
def test_training_leaves_torchs_global_generator_as_it_was(make, network):
    trainer = make.trainer([f"network={network}"], validation=make.images(7, seed=2))
    torch.manual_seed(123)
    before = torch.get_rng_state()
    for _ in trainer.epochs():
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_failure_leaves_the_global_generator_too(make):
    def stop(done, total, loss):
        raise KeyboardInterrupt

    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        next(make.trainer(["network=dropout"]).epochs(stop))
    assert torch.equal(torch.get_rng_state(), before)


def test_what_the_caller_draws_between_epochs_changes_nothing(make):
    quiet, noisy = make.trainer(["network=dropout"]), make.trainer(["network=dropout"])
    list(quiet.epochs())
    for _ in noisy.epochs():
        torch.rand(1000)
    assert final_hash(quiet) == final_hash(noisy)


def test_the_watcher_hears_of_every_epochs_end_and_changes_nothing(make):
    heard = []
    watched, alone = make.trainer(["epochs=2"]), make.trainer(["epochs=2"])
    reports = list(watched.epochs(lambda *news: heard.append(news)))
    list(alone.epochs())
    assert final_hash(watched) == final_hash(alone)
    assert [news[:2] for news in heard] == [(5, 23), (23, 23)] * 2
    assert heard[1][2] == reports[0].train_loss


def test_steps_that_are_too_large_are_said_with_the_remedy(make):
    trainer = make.trainer(["optimizer=sgd", "learning_rate=1e6", "epochs=9"])
    with pytest.raises(DivergedError) as caught:
        list(trainer.epochs())
    assert re.fullmatch(
        r"the loss is (nan|inf) in epoch [12], batch [1-5]: the steps are most likely too large "
        r"\(learning_rate 1e\+06\); try --set learning_rate=100000 or "
        r"--set gradient_clip_norm=1",
        str(caught.value),
    )


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_broken_loss_is_placed_by_epoch_and_batch(make, value):
    trainer = make.trainer([*SGD, "epochs=3"])
    honest, calls = trainer.objective, iter(range(1, 99))

    def objective(*arguments):
        loss = honest(*arguments)
        return loss * float(value) if next(calls) == 5 + 3 else loss

    trainer.objective = objective
    with pytest.raises(DivergedError, match=rf"^the loss is {value} in epoch 2, batch 3: "):
        list(trainer.epochs())
    assert [report.epoch for report in trainer.history] == [1]


def test_a_last_step_that_breaks_the_weights_is_seen_at_once(make):
    trainer = make.trainer([*SGD, "epochs=3", "batch_size=23"])
    trainer.classifier.network.output.bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(DivergedError, match=r"^weights are not finite after epoch 1: the steps"):
        list(trainer.epochs())
    assert trainer.history == []


def test_a_validation_loss_that_is_not_finite_is_said(make, monkeypatch):
    trainer = make.trainer(["epochs=3"], validation=make.images(7, seed=2))
    monkeypatch.setattr(
        trainer_module, "predict_logits", lambda *_, **__: torch.full((7, 3), math.nan)
    )
    with pytest.raises(DivergedError, match=r"^the validation loss is nan after epoch 1: the"):
        list(trainer.epochs())


def test_a_batch_larger_than_the_train_split_is_refused(make):
    with pytest.raises(ConfigError) as caught:
        make.trainer(["batch_size=24"])
    assert str(caught.value) == (
        "batch_size 24 is larger than the train split (23 images); "
        "set training.batch_size to at most 23"
    )
    make.trainer(["batch_size=23"])
    computed = ["epochs=0", "finetuning.source=somewhere", "finetuning.head=prototype"]
    make.trainer(["batch_size=24", *computed])


def test_bf16_computes_in_bfloat16_and_keeps_weights_in_float32(make):
    trainer = make.trainer(["epochs=1"], precision="bf16")
    kinds = set()
    trainer.classifier.network.output.register_forward_hook(
        lambda *arguments: kinds.add(arguments[2].dtype)
    )
    (report,) = trainer.epochs()
    assert kinds == {torch.bfloat16}
    assert {weight.dtype for weight in trainer.classifier.parameters()} == {torch.float32}
    assert math.isfinite(report.train_loss)


def test_frozen_weights_stay(make):
    trainer = make.trainer(["epochs=1"])
    before = weights_of(trainer)
    trainer.classifier.network.conv1.requires_grad_(False)
    list(trainer.epochs())
    after = weights_of(trainer)
    assert torch.equal(before["conv1.weight"], after["conv1.weight"])
    assert not torch.equal(before["conv2.weight"], after["conv2.weight"])


def test_a_teacher_changes_what_is_learned_and_is_not_changed(make):
    teacher = make.trainer(["epochs=2"]).classifier
    held = weights_sha256(teacher.state_dict())
    taught, alone = make.trainer(["epochs=1"], teacher=teacher), make.trainer(["epochs=1"])
    list(taught.epochs())
    list(alone.epochs())
    assert weights_sha256(teacher.state_dict()) == held
    assert final_hash(taught) != final_hash(alone)
