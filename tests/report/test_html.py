"""The page agrees with the evaluation, loads nothing, and escapes all text."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from tellapart.evaluation import evaluate_logits, most_confident_mistakes, most_confused, roc_curves
from tellapart.evaluation.rejection import rejection_curve_of
from tellapart.report import render_report

HOSTILE = "<script>alert('x')</script> & \"quoted\""


def inputs(num_images=400, names=("ant", "bee", "cat"), margin=1.5):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(len(names), (num_images,), generator=generator)
    logits = torch.randn(num_images, len(names), generator=generator)
    logits[torch.arange(num_images), labels] += margin
    shape = (num_images, 1, 28, 28)
    images = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    mistakes = [(m, images[m.index]) for m in most_confident_mistakes(logits, labels, 24)]
    history = [
        {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "train_accuracy": 1 - 0.3 / epoch,
            "validation_loss": 1.1 / epoch,
            "validation_accuracy": 0.9 - 0.2 / epoch,
            "seconds": 2.5,
        }
        for epoch in (1.0, 2.0, 3.0)
    ]
    return {
        "title": "lenet5 on insects",
        "evaluation": evaluate_logits(logits, labels, names),
        "roc": roc_curves(logits, labels),
        "rejection": rejection_curve_of(logits, labels, logits.argmax(1)),
        "mistakes": mistakes,
        "history": history,
        "recipe": {"name": "quick", "training": {"num_epochs": 3}},
        "environment": {"torch": "2.13.0"},
        "data": {"fingerprint": "abc"},
    }


def parsed(page):
    """The whole page as XML: it is written so that both kinds of parser read the same."""
    assert page.startswith("<!doctype html>\n")
    return ElementTree.fromstring(page.removeprefix("<!doctype html>\n"))


def printed(page):
    body = parsed(page).find("body")
    return " ".join("".join(body.itertext()).replace("\N{NO-BREAK SPACE}", " ").split())


def section(page, name):
    return next(part for part in parsed(page).iter("section") if part.get("id") == name)


def test_the_headline_is_the_evaluation_in_words():
    given = inputs()
    evaluation = given["evaluation"]
    low, high = evaluation.accuracy_interval
    text = printed(render_report(**given))
    wrong = 400 - evaluation.num_correct
    assert f"{evaluation.num_correct} of 400 images classified correctly, {wrong} inc" in text
    assert f"between {100 * low:.1f} % and {100 * high:.1f} %" in text
    assert f"{100 * evaluation.accuracy:.1f} %" in text
    most_common = max(evaluation.per_class, key=lambda row: row.support)
    baseline = f"{most_common.support / 4:.1f} %"
    assert f"most common class, {most_common.name}, would give {baseline}" in text
    assert f"accuracy · baseline {baseline}" in text
    assert "balanced accuracy" not in text
    assert f"Mean F1{evaluation.macro_f1:.4f}" in text
    assert f"Mean AUC{evaluation.macro_auc:.4f}" in text
    assert f"{100 * evaluation.expected_calibration_error:.2f} %" in text


def test_unequal_classes_are_headed_by_balanced_accuracy():
    labels = torch.tensor([0] * 90 + [1] * 10)
    logits = torch.tensor([[2.0, 0.0]] * 94 + [[0.0, 2.0]] * 6)
    evaluation = evaluate_logits(logits, labels, ("functional", "defective"))
    page = render_report(title="cells", evaluation=evaluation)
    text = printed(page)
    large = ["".join(part.itertext()) for part in parsed(page).iter("p")
             if (part.get("class") or "").startswith("number")]  # fmt: skip
    assert [number.replace("\N{NO-BREAK SPACE}", " ") for number in large] == [
        "80.0 %balanced accuracy",
        "96.0 %accuracy · baseline 90.0 %",
    ]
    low, high = evaluation.balanced_accuracy_interval
    assert f"between {100 * low:.1f} % and {100 * high:.1f} %" in text
    assert "most common class, functional, would give 90.0 %" in text
    assert "80.0\N{NO-BREAK SPACE}% balanced" in parsed(page).find("head/title").text


def test_every_section_is_there_with_a_heading_and_every_chart_with_a_name():
    page = render_report(**inputs())
    names = [part.get("id") for part in parsed(page).iter("section")]
    assert names == ["learning", "confusions", "roc-curves", "rejection", "calibration",
                     "temperature", "mistakes", "classes", "origin"]  # fmt: skip
    charts = list(parsed(page).iter("{http://www.w3.org/2000/svg}svg"))
    assert len(charts) == 6
    identifiers = [part.get("id") for part in parsed(page).iter() if part.get("id")]
    assert len(identifiers) == len(set(identifiers))
    for chart in charts:
        assert chart.get("role") == "img"
        assert set(chart.get("aria-labelledby").split()) <= set(identifiers)


def test_the_confused_pairs_and_the_mistakes_are_the_evaluations():
    given = inputs()
    page = render_report(**given)
    pairs = ["".join(item.itertext()) for item in section(page, "confusions").iter("li")]
    names = given["evaluation"].class_names
    assert len(pairs) == 6
    for item, pair in zip(pairs, most_confused(given["evaluation"], 10), strict=True):
        assert item.startswith(f"{names[pair.label]} taken for {names[pair.prediction]}")
        assert f"{pair.num_images} of " in item
    figures = list(section(page, "mistakes").iter("figure"))
    assert len(figures) == 24
    mistake = given["mistakes"][0][0]
    caption = "".join(figures[0].itertext()).replace("\N{NO-BREAK SPACE}", " ")
    shown = f"{names[mistake.prediction]} {100 * mistake.probability:.1f} %"
    assert caption == f"{shown}true: {names[mistake.label]}"
    assert figures[0].find("img").get("class") == "pixels"


def test_the_page_needs_no_network_and_runs_no_script():
    page = render_report(**inputs())
    outside = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    outside = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", outside)
    reaching = re.search(r"https?:|//[a-z]|@import|url\(|<script|<link|\son\w+=", outside)
    assert reaching is None
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_whatever_is_given_is_escaped_everywhere():
    given = inputs(names=(HOSTILE, "bee", "<img src=x onerror=y>"))
    page = render_report(
        **given
        | {"title": HOSTILE, "recipe": {HOSTILE: {HOSTILE: HOSTILE}}, "data": {"path": HOSTILE}}
        | {"environment": {HOSTILE: HOSTILE}}
    )
    assert "<script" not in page
    assert "<img src=x" not in page
    assert printed(page).count(HOSTILE) > 10
    assert parsed(page).find("head/title").text.startswith(HOSTILE)


def test_the_same_input_gives_the_same_bytes():
    assert render_report(**inputs()) == render_report(**inputs())


def test_what_was_not_given_has_no_section():
    page = render_report(title="bare", evaluation=inputs()["evaluation"])
    names = [part.get("id") for part in parsed(page).iter("section")]
    assert names == ["confusions", "calibration", "temperature", "classes"]


def test_training_without_validation_has_no_validation_text():
    given = inputs()
    for row in given["history"]:
        row["validation_loss"] = row["validation_accuracy"] = None
    text = printed(render_report(**given))
    assert "Trained for 3 epochs in 7.5 s. Loss should fall" in text
    assert "the best validation accuracy was 83.33 % after epoch 3" in printed(
        render_report(**inputs())
    )


def test_a_perfect_classifier_has_no_mistakes_and_the_page_reports_none():
    text = printed(render_report(**inputs(margin=30.0)))
    assert "400 of 400 images classified correctly, 0 incorrectly" in text
    assert "100.0 %" in text
    assert "all are correct" in text
    assert "No image was taken for another class" in text


@pytest.mark.parametrize("num_classes", [2, 10, 120])
def test_any_number_of_classes_gives_a_page(num_classes):
    names = [f"class {index}" for index in range(num_classes)]
    page = render_report(**inputs(1500, names))
    rows = list(section(page, "classes").iter("tr"))
    assert len(rows) == num_classes + 3
