"""The ROC chart names the worst classes and zooms where curves are good."""

import xml.etree.ElementTree as ElementTree

import pytest
import torch

from tellapart import wording
from tellapart.evaluation import roc_curves
from tellapart.report.roc import roc_chart, uses_logarithmic_axis

SVG = "{http://www.w3.org/2000/svg}"


def curves(margin, num_classes=6):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(num_classes, (2000,), generator=generator)
    logits = torch.randn(2000, num_classes, generator=generator)
    logits[torch.arange(2000), labels] += margin
    return roc_curves(logits, labels)


@pytest.mark.parametrize("margin", [1.0, 8.0])
def test_the_four_smallest_areas_are_named_with_their_value_and_the_rest_counted(margin):
    drawn = curves(margin)
    names = ["a", "b", "c", "d", "e", "f"]
    chart = ElementTree.fromstring(roc_chart(drawn, names, 2000))
    worst = sorted(zip(drawn, names, strict=True), key=lambda pair: pair[0].area)
    expected = [f"{name}  {wording.score(curve.area)}" for curve, name in worst[:4]]
    legend = [t.text for t in chart.iter(f"{SVG}text") if t.get("class") == "legend"]
    assert legend == [*expected, "2 more, each with at least as large an area"]
    assert len([line for line in chart.iter(f"{SVG}polyline") if len(line)]) == 6


def test_only_good_curves_get_a_logarithmic_axis():
    good, poor = curves(8.0), curves(1.0)
    assert uses_logarithmic_axis(good)
    assert not uses_logarithmic_axis(poor)
    assert not uses_logarithmic_axis([None])
    names = list("abcdef")
    assert "guide" in roc_chart(poor, names, 2000)
    assert "0.01 %" in roc_chart(good, names, 2000)


def test_points_stay_inside_the_frame():
    for drawn in (curves(1.0), curves(8.0)):
        chart = ElementTree.fromstring(roc_chart(drawn, list("abcdef"), 2000))
        for line in chart.iter(f"{SVG}polyline"):
            for point in line.get("points").split():
                x, y = map(float, point.split(","))
                assert 52 <= x <= 424
                assert 40 <= y <= 450


def test_classes_without_a_curve_are_left_out_and_none_at_all_is_no_chart():
    drawn = list(curves(1.0))
    drawn[2] = None
    assert "1 more" in roc_chart(drawn, list("abcdef"), 2000)
    assert roc_chart([None, None], ["a", "b"], 10) == ""
