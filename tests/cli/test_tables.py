"""Results as text: figures, the worst classes of many, names that look like markup."""

from __future__ import annotations

import torch

from tellapart.cli.prediction_table import print_predictions
from tellapart.cli.tables import (
    print_evaluation,
    print_reproduction,
)
from tellapart.evaluation import evaluate_logits
from tellapart.workflow.predict import Prediction, Predictions
from tellapart.workflow.reproduce import CLAIMS
from tellapart.workflow.training_result import TrainingResult

FIGURES = ("balanced", "accuracy", "baseline")


def evaluation_of(names, num_wrong=3):
    """Two pictures of every class, of which the first ``num_wrong`` are taken for the next."""
    labels = torch.arange(len(names)).repeat(2)
    printed = labels.clone()
    printed[:num_wrong] = (printed[:num_wrong] + 1) % len(names)
    logits = 5 * torch.nn.functional.one_hot(printed, len(names)).float()
    return evaluate_logits(logits, labels, tuple(names))


def test_an_evaluation_has_a_row_for_every_class(capsys):
    print_evaluation(evaluation_of(["ants", "bees", "wasps"]), "insects, test split")
    out = capsys.readouterr().out
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0] == "insects, test split"
    assert lines[1].split() == ["class", "images", "precision", "recall", "F1", "AUC"]
    assert [line.split()[0] for line in lines[2:5]] == ["ants", "bees", "wasps"]
    assert lines[5].startswith("macro mean")
    assert "accuracy  50.00 % (95 % interval 18.76 % to 81.24 %, 6 images)" in lines
    assert "baseline  33.33 % accuracy, by always answering 'ants'" in lines
    assert not any(line.startswith("balanced") for line in lines)
    assert "mistakes  3, most often ants as bees (1), bees as wasps (1), wasps as ants (1)" in lines


def test_unequal_classes_are_measured_by_balanced_accuracy_first(capsys):
    labels = torch.tensor([0] * 90 + [1] * 10)
    logits = torch.tensor([[2.0, 0.0]] * 94 + [[0.0, 2.0]] * 6)
    print_evaluation(evaluate_logits(logits, labels, ("good", "bad")), "cells")
    lines = capsys.readouterr().out.splitlines()
    figures = [line.split()[:2] for line in lines if line[:8] in FIGURES]
    assert figures == [["balanced", "80.00"], ["accuracy", "96.00"], ["baseline", "90.00"]]


def test_no_mistakes(capsys):
    print_evaluation(evaluation_of(["ants", "bees"], num_wrong=0), "insects")
    assert capsys.readouterr().out.rstrip().endswith("mistakes  0")


def test_of_many_classes_the_worst_are_listed(capsys):
    print_evaluation(evaluation_of([f"class{number}" for number in range(50)]), "many")
    out = capsys.readouterr().out
    assert out.count("\nclass") == 1 + 20
    for worst in ("class0", "class1", "class2", "class3"):
        assert f"\n{worst} " in out
    assert "the 20 worst; 30 more in report.html" in out


def test_names_that_look_like_markup_are_printed_as_they_are(capsys):
    print_evaluation(evaluation_of(["[bold]a[/bold]", "[/]"]), "[red]data[/red]")
    out = capsys.readouterr().out
    assert "[bold]a[/bold]" in out
    assert "\n[/] " in out
    assert out.startswith("[red]data[/red]")
    print_predictions(Predictions([Prediction("[x].png", "[a]", 0.9, "[/b]", 0.1)]))
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *("[a]", "90.00", "%", "[/b]", "10.00", "%", "[x].png")
    ]


def test_a_reproduction_without_a_test_split(capsys, tmp_path):
    result = TrainingResult(
        run=tmp_path,
        data="d",
        recipe=CLAIMS[0].recipe,
        seed=0,
        num_parameters=1,
        num_epochs=1,
        train_seconds=1.25,
        total_seconds=2.0,
        views=1,
        validation_accuracy=None,
        test=None,
        verdict=None,
        not_written=None,
        device="cpu",
        precision="fp32",
        weights_sha256="",
    )
    print_reproduction([(CLAIMS[0], result)])
    row = capsys.readouterr().out.splitlines()[1]
    assert row.startswith(CLAIMS[0].recipe)
    assert "98.85 %  no test split" in row
    assert row.rstrip().endswith("1.2 s")
