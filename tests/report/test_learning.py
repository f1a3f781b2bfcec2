"""The learning curves show what was measured, and only that."""

import xml.etree.ElementTree as ElementTree

import pytest

from tellapart.report.learning import learning_curve


def row(epoch, train, validation=None):
    return {
        "epoch": epoch,
        "train_loss": train,
        "validation_loss": validation,
        "train_accuracy": 1 - train / 10 if train is not None else None,
        "validation_accuracy": 1 - validation / 10 if validation is not None else None,
    }


def parts(chart, tag):
    return ElementTree.fromstring(chart).findall(f".//{{http://www.w3.org/2000/svg}}{tag}")


def texts(chart):
    return [part.text for part in parts(chart, "text")]


def hovers(chart):
    return [part.text for part in parts(chart, "title")][1:]


def test_every_measured_epoch_is_a_dot_with_its_value():
    chart = learning_curve([row(1, 0.9, 0.8), row(2, 0.5, 0.6)], "loss")
    assert hovers(chart) == [
        "epoch 1: train loss 0.9",
        "epoch 2: train loss 0.5",
        "epoch 1: validation loss 0.8",
        "epoch 2: validation loss 0.6",
    ]
    assert {"train", "validation", "epoch", "loss"} <= set(texts(chart))


def test_without_validation_there_is_one_line_and_no_word_of_it():
    chart = learning_curve([row(1, 0.9), row(2, 0.5), row(3, 0.4)], "accuracy")
    assert "validation" not in chart
    assert len([p for p in parts(chart, "polyline") if "train" in p.get("class")]) == 2  # and key


def test_a_line_breaks_at_an_epoch_without_a_value_or_with_one_that_is_not_finite():
    history = [row(1, 0.9), row(2, 0.8), row(3, float("nan")), row(4, 0.7), row(5, 0.6)]
    lines = [p.get("points") for p in parts(learning_curve(history, "loss"), "polyline")]
    assert [len(points.split()) for points in lines] == [2, 2, 2]  # two stretches and the key


def test_a_loss_that_falls_far_has_a_logarithmic_axis():
    chart = learning_curve([row(1, 2.0), row(2, 0.2), row(3, 0.02)], "loss")
    heights = [float(dot.get("cy")) for dot in parts(chart, "circle")]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.02)
    assert (heights[0], heights[2]) == (40, 236)


def test_one_epoch_is_a_dot_in_the_middle():
    chart = learning_curve([row(1, 0.5)], "loss")
    [dot] = parts(chart, "circle")
    assert float(dot.get("cx")) == pytest.approx((52 + 440 - 16) / 2)


def test_an_accuracy_axis_never_leaves_0_to_100_percent():
    chart = learning_curve([row(1, 0.5), row(2, 0.001)], "accuracy")
    ticks = [text for text in texts(chart) if text.endswith("%")]
    assert ticks[-1].startswith("100")
    assert not [tick for tick in ticks if float(tick[:-2]) > 100]


def test_nothing_measured_is_no_chart():
    assert learning_curve([row(1, None)], "loss") == ""
