"""An evaluation agrees with scikit-learn and survives JSON."""

import gzip
import json
import os
from pathlib import Path

import pytest
import torch
from sklearn import metrics as oracle

from tellapart.errors import DataError, DivergedError, RunError, ShapeError
from tellapart.evaluation import Evaluation, evaluate_logits

NAMES = ("ant", "bee", "cat")


def case(num_images=300, num_classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(num_classes, (num_images,), generator=generator)
    logits = torch.randn(num_images, num_classes, generator=generator)
    logits[torch.arange(num_images), labels] += 1.5
    return logits, labels


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
    balanced = oracle.balanced_accuracy_score(labels, predictions)
    assert evaluation.balanced_accuracy == pytest.approx(balanced)
    low, high = evaluation.balanced_accuracy_interval
    assert low < balanced < high
    counts = labels.bincount()
    assert evaluation.majority_class == NAMES[int(counts.argmax())]
    assert evaluation.majority_baseline == int(counts.max()) / 300
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
        "confusion_matrix per_class class_names num_images balanced_accuracy majority_baseline"
    )
    assert set(promised.split()) <= set(json.loads(written))


def test_json_with_other_keys_or_kinds_is_refused():
    content = evaluate_logits(*case(), NAMES).to_json()
    del content["loss"]
    with pytest.raises(RunError, match=r"missing: loss; unknown: lost. *Evaluate the run again"):
        Evaluation.from_json({**content, "lost": 1})
    with pytest.raises(RunError, match="a value of the wrong type"):
        Evaluation.from_json({**content, "loss": 1.0, "accuracy_interval": 0.5})


@pytest.mark.parametrize(
    ("counts", "is_unbalanced"),
    [((30, 10, 20), True), ((29, 10, 20), False), ((30, 0, 20), False), ((30, 0, 0), False)],
)
def test_classes_are_unequal_from_three_times_the_images_on(counts, is_unbalanced):
    labels = torch.arange(3).repeat_interleave(torch.tensor(counts))
    logits = torch.zeros(len(labels), 3)
    evaluation = evaluate_logits(logits, labels, NAMES)
    assert evaluation.is_unbalanced == is_unbalanced
    assert evaluation.majority_class == "ant"
    assert evaluation.majority_baseline == max(counts) / sum(counts)


def test_the_only_class_has_no_curve_and_so_the_mean_has_no_value():
    evaluation = evaluate_logits(torch.randn(5, 2), torch.zeros(5, dtype=torch.int64), ("a", "b"))
    assert evaluation.macro_auc is None
    assert [row.auc for row in evaluation.per_class] == [None, None]


def test_logits_that_are_not_finite_are_refused():
    logits, labels = case(4)
    logits[1, 0], logits[3, 2] = float("nan"), float("inf")
    with pytest.raises(DivergedError, match=r"NaN or infinity for 2 of 4 images; .* lower"):
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
    with pytest.raises(DataError, match="at least one image, got none"):
        evaluate_logits(logits[:0], labels[:0], NAMES)


def test_a_confident_classifiers_curve_is_not_one_big_tie():
    # In float32 both probabilities are 1; the order of the logits still tells the two apart.
    logits = torch.tensor([[25.0, 0.0], [22.0, 0.0], [20.0, 0.0]])
    evaluation = evaluate_logits(logits, torch.tensor([0, 0, 1]), ("a", "b"))
    assert evaluation.macro_auc == 1


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
