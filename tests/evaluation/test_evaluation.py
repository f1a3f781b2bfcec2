"""Predictions keep order and modes; an evaluation agrees with its parts and survives JSON."""

import gzip
import json
import os
from pathlib import Path

import pytest
import torch
from sklearn import metrics as oracle
from torch import nn

from tellapart.errors import ConfigError, DataError, DivergedError, RunError, ShapeError
from tellapart.evaluation import (
    Evaluation,
    evaluate_logits,
    most_confident_mistakes,
    most_confused,
    predict_logits,
    roc_curves,
)

CPU = torch.device("cpu")
NAMES = ("ant", "bee", "cat")


class MeanBrightness(nn.Module):
    """Gives a picture's mean and its negative; batch norm and dropout betray a training mode."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.dropout = nn.Dropout(0.5)
        self.batch_sizes = []

    def forward(self, images):
        assert images.dtype == torch.uint8
        assert not torch.is_grad_enabled()
        self.batch_sizes.append(len(images))
        mean = images.double().mean((1, 2, 3)).float()
        return self.dropout(self.norm(torch.stack([mean, -mean], 1)))


def pictures(count):
    return torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 2, 2)


def case(num_images=300, num_classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(num_classes, (num_images,), generator=generator)
    logits = torch.randn(num_images, num_classes, generator=generator)
    logits[torch.arange(num_images), labels] += 1.5
    return logits, labels


@pytest.mark.parametrize("batch_size", [1, 4, 10, 1000])
def test_logits_come_in_the_order_of_the_pictures_whatever_the_batch_size(batch_size):
    classifier = MeanBrightness()
    logits = predict_logits(classifier, pictures(10), batch_size=batch_size, device=CPU)
    scale = (1 + classifier.norm.eps) ** -0.5
    expected = torch.arange(10.0) * scale
    torch.testing.assert_close(logits, torch.stack([expected, -expected], 1))
    assert logits.dtype == torch.float32
    assert sum(classifier.batch_sizes) == 10
    assert max(classifier.batch_sizes) == min(batch_size, 10)


def test_every_part_gets_its_own_mode_back_even_after_an_error():
    classifier = MeanBrightness()
    classifier.train()
    classifier.norm.eval()  # frozen
    modes = [part.training for part in classifier.modules()]
    predict_logits(classifier, pictures(3), device=CPU)
    assert [part.training for part in classifier.modules()] == modes == [True, False, True]
    with pytest.raises(ConnectionError):
        predict_logits(classifier, pictures(3), device=CPU, autocast=unavailable)
    assert [part.training for part in classifier.modules()] == modes


def unavailable():
    raise ConnectionError


def test_logits_are_ordinary_tensors_that_autograd_accepts():
    logits = predict_logits(MeanBrightness(), pictures(3), device=CPU)
    temperature = torch.ones(1, requires_grad=True)
    (logits * temperature).square().sum().backward()
    assert temperature.grad is not None
    assert not logits.requires_grad


def test_autocast_surrounds_every_batch_and_logits_are_float32_still():
    classifier = nn.Sequential(Flat(), nn.Linear(4, 2))
    half = predict_logits(
        classifier, pictures(6), device=CPU, autocast=lambda: torch.autocast("cpu", torch.bfloat16)
    )
    full = predict_logits(classifier, pictures(6), device=CPU)
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, rtol=0.02, atol=0.05)


class Flat(nn.Module):
    def forward(self, images):
        return images.flatten(1).float()


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8), pictures(0)]
)
def test_pictures_of_another_kind_are_refused(images):
    with pytest.raises(
        ShapeError, match=r"images must be uint8 .* at least one picture, got torch"
    ):
        predict_logits(MeanBrightness(), images, device=CPU)


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        predict_logits(MeanBrightness(), pictures(2), batch_size=0, device=CPU)


def test_a_module_that_gives_no_logits_is_refused():
    with pytest.raises(ShapeError, match=r"logits \(2, classes\) .* got \(2, 1, 2, 2\)"):
        predict_logits(nn.Identity(), pictures(2), device=CPU)


def test_an_evaluation_agrees_with_scikit_learn():
    logits, labels = case()
    evaluation = evaluate_logits(logits, labels, NAMES)
    probabilities = logits.double().softmax(1)
    predictions = logits.argmax(1)
    assert evaluation.num_images == 300
    assert evaluation.accuracy == oracle.accuracy_score(labels, predictions)
    assert evaluation.num_correct == int((labels == predictions).sum())
    low, high = evaluation.accuracy_interval
    assert low < evaluation.accuracy < high
    assert evaluation.loss == pytest.approx(oracle.log_loss(labels, probabilities))
    assert evaluation.macro_f1 == pytest.approx(
        oracle.f1_score(labels, predictions, average="macro")
    )
    macro_auc = oracle.roc_auc_score(labels, probabilities, multi_class="ovr")
    assert evaluation.macro_auc == pytest.approx(macro_auc)
    confusion = oracle.confusion_matrix(labels, predictions)
    assert [list(row) for row in evaluation.confusion_matrix] == confusion.tolist()
    assert [row.name for row in evaluation.per_class] == list(NAMES)
    assert [row.support for row in evaluation.per_class] == labels.bincount().tolist()


def test_an_evaluation_survives_strict_json():
    logits, labels = case()
    evaluation = evaluate_logits(logits, labels.clamp(max=1), (*NAMES,))
    written = json.dumps(evaluation.to_json(), allow_nan=False)
    assert Evaluation.from_json(json.loads(written)) == evaluation
    assert evaluation.to_json()["per_class"][2]["auc"] is None
    promised = (
        "accuracy accuracy_interval loss macro_f1 macro_auc expected_calibration_error "
        "confusion_matrix per_class class_names num_images"
    )
    assert set(promised.split()) <= set(json.loads(written))


def test_json_with_other_keys_or_kinds_is_refused():
    content = evaluate_logits(*case(), NAMES).to_json()
    del content["loss"]
    with pytest.raises(RunError, match=r"missing: loss; unknown: lost\. Evaluate the run again"):
        Evaluation.from_json({**content, "lost": 1})
    with pytest.raises(RunError, match="a value of another kind"):
        Evaluation.from_json({**content, "loss": 1.0, "accuracy_interval": 0.5})


def test_the_only_class_has_no_curve_and_the_mean_says_so():
    evaluation = evaluate_logits(torch.randn(5, 2), torch.zeros(5, dtype=torch.int64), ("a", "b"))
    assert evaluation.macro_auc is None
    assert [row.auc for row in evaluation.per_class] == [None, None]


def test_logits_that_are_not_finite_are_refused():
    logits, labels = case(4)
    logits[1, 0], logits[3, 2] = float("nan"), float("inf")
    with pytest.raises(DivergedError, match=r"NaN or infinity for 2 of 4 pictures; .* lower"):
        evaluate_logits(logits, labels, NAMES)


def test_logits_and_names_and_labels_must_fit():
    logits, labels = case(4)
    with pytest.raises(ShapeError, match="got 3 columns and 2 names"):
        evaluate_logits(logits, labels, ("a", "b"))
    with pytest.raises(ShapeError, match=r"labels must be int64 \(4,\)"):
        evaluate_logits(logits, labels[:3], NAMES)
    with pytest.raises(DataError, match=r"0\.\.2 \(3 classes\), got"):
        evaluate_logits(logits, labels + 3, NAMES)
    with pytest.raises(ShapeError, match="logits must be floating point"):
        evaluate_logits(logits.long(), labels, NAMES)
    with pytest.raises(DataError, match="at least one picture, got none"):
        evaluate_logits(logits[:0], labels[:0], NAMES)


def test_a_confident_classifiers_curve_is_not_one_big_tie():
    # In float32 both probabilities are 1; the order of the logits still tells the two apart.
    logits = torch.tensor([[25.0, 0.0], [22.0, 0.0], [20.0, 0.0]])
    evaluation = evaluate_logits(logits, torch.tensor([0, 0, 1]), ("a", "b"))
    assert evaluation.macro_auc == 1


def test_roc_curves_are_thin_and_their_areas_those_of_the_evaluation():
    logits, labels = case(5000)
    evaluation = evaluate_logits(logits, labels, NAMES)
    curves = roc_curves(logits, labels, num_points=50)
    assert [curve.area for curve in curves] == [row.auc for row in evaluation.per_class]
    assert all(len(curve.true_positive_rate) <= 50 for curve in curves)
    assert roc_curves(logits, labels.clamp(max=1))[2] is None


def test_the_surest_mistakes_come_first():
    logits = torch.tensor([[9.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    labels = torch.tensor([0, 0, 1, 0, 1])
    mistakes = most_confident_mistakes(logits, labels, 3)
    assert [mistake.index for mistake in mistakes] == [2, 4, 3]
    assert (mistakes[2].label, mistakes[2].prediction) == (0, 1)
    assert mistakes[2].probability == pytest.approx(1 / (1 + 2.718281828**-2))
    assert len(most_confident_mistakes(logits, labels, 99)) == 4
    assert most_confident_mistakes(logits[:1], labels[:1], 5) == []


def test_the_most_frequent_confusions_come_first():
    labels = torch.tensor([0] * 5 + [1] * 5 + [2])
    predictions = torch.tensor([0, 1, 1, 1, 2, 1, 0, 0, 1, 1, 2])
    evaluation = evaluate_logits(nn.functional.one_hot(predictions, 3).double(), labels, NAMES)
    assert most_confused(evaluation, 2) == [(0, 1, 3), (1, 0, 2)]
    assert len(most_confused(evaluation, 10)) == 3


def test_real_labels_are_counted_as_they_are():
    folder = os.environ.get("TELLAPART_DATA")
    if not folder:
        pytest.skip("TELLAPART_DATA is not set: no real data to evaluate on")
    [file] = (Path(folder) / "mnist").glob("t10k-labels*")
    content = file.read_bytes()
    content = gzip.decompress(content) if file.suffix == ".gz" else content
    labels = torch.frombuffer(bytearray(content[8:]), dtype=torch.uint8).long()
    always_one = torch.zeros(10_000, 10)
    always_one[:, 1] = 1
    evaluation = evaluate_logits(always_one, labels, [str(name) for name in range(10)])
    assert evaluation.accuracy == 0.1135
    assert evaluation.macro_auc == 0.5
    assert evaluation.num_correct == 1135
