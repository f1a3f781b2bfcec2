"""The heat map has a cell for every count that is not zero."""

import xml.etree.ElementTree as ElementTree

import pytest
import torch

from tellapart.evaluation import evaluate_logits
from tellapart.report.confusion import confusion_heat_map

SVG = "{http://www.w3.org/2000/svg}"


def evaluation(predictions, labels, names):
    logits = torch.nn.functional.one_hot(torch.tensor(predictions), len(names)).double()
    return evaluate_logits(logits, torch.tensor(labels), names)


def cells(chart):
    return [c for c in chart.iter(f"{SVG}rect") if c.get("class") in ("hit", "miss")]


def test_cells_show_their_counts_as_text_and_on_hover():
    drawn = evaluation([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], ("ant", "bee"))
    chart = ElementTree.fromstring(confusion_heat_map(drawn))
    assert [cell.find(f"{SVG}title").text for cell in cells(chart)] == [
        "ant classified correctly: 2 of 3",
        "ant taken for bee: 1 of 3",
        "bee taken for ant: 1 of 2",
        "bee classified correctly: 1 of 2",
    ]
    counts = [t.text for t in chart.iter(f"{SVG}text") if "count" in t.get("class")]
    assert counts == ["2", "1", "1", "1"]


def test_the_most_frequent_mistake_is_deepest_and_rare_ones_are_still_seen():
    predictions, labels = [1] * 100 + [0], [0] * 100 + [1]
    chart = ElementTree.fromstring(confusion_heat_map(evaluation(predictions, labels, ("a", "b"))))
    depths = [float(cell.get("fill-opacity")) for cell in cells(chart)]
    assert depths == pytest.approx([1.0, 0.12 + 0.088], abs=0.01)


@pytest.mark.parametrize("num_classes", [2, 7, 12, 13, 43, 100, 300])
def test_any_number_of_classes_stays_inside_its_frame_and_labels_do_not_crowd(num_classes):
    names = [f"class number {index}" for index in range(num_classes)]
    everything = list(range(num_classes))
    drawn = evaluation([*everything[1:], 0, *everything], everything * 2, names)
    chart = ElementTree.fromstring(confusion_heat_map(drawn))
    width, height = (float(size) for size in chart.get("viewBox").split()[2:])
    assert len(cells(chart)) == 2 * num_classes
    for cell in cells(chart):
        assert 0 < float(cell.get("x")) < float(cell.get("x")) + float(cell.get("width")) <= width
        assert 0 < float(cell.get("y")) < float(cell.get("y")) + float(cell.get("height")) <= height
    labels = [t for t in chart.iter(f"{SVG}text") if t.get("class") == "tick"]
    assert 4 <= len(labels) <= 2 * 42


def test_a_perfect_classifier_has_hits_only():
    chart = ElementTree.fromstring(confusion_heat_map(evaluation([0, 1], [0, 1], ("a", "b"))))
    assert [cell.get("class") for cell in cells(chart)] == ["hit", "hit"]
