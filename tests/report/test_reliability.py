"""The reliability diagram has a dot, a whisker and a bar for every bin that holds pictures."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
import torch

from tellapart.evaluation import evaluate_logits
from tellapart.evaluation.metrics import ReliabilityBin, wilson_interval
from tellapart.report.reliability import (
    calibration_note,
    calibration_table,
    reliability_diagram,
)

SVG = "{http://www.w3.org/2000/svg}"
BINS = (
    ReliabilityBin(0.0, 0.25, 0, None, None),
    ReliabilityBin(0.25, 0.5, 1, 0.5, 0.0),
    ReliabilityBin(0.5, 0.75, 10, 0.6, 0.5),
    ReliabilityBin(0.75, 1.0, 1000, 0.9, 1.0),
)


def test_dots_whiskers_and_bars_are_where_the_numbers_are():
    chart = ElementTree.fromstring(reliability_diagram(BINS))
    dots = list(chart.iter(f"{SVG}circle"))
    across, up = (lambda v: 52 + 372 * v), (lambda v: 266 - 226 * v)
    places = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in dots]
    expected = [(0.5, 0.0), (0.6, 0.5), (0.9, 1.0)]
    assert places == [pytest.approx((across(x), up(y)), abs=0.01) for x, y in expected]
    whiskers = [w for w in chart.iter(f"{SVG}line") if w.get("class") == "whisker"]
    low, high = wilson_interval(5, 10)
    assert float(whiskers[1].get("y1")) == pytest.approx(up(low), abs=0.01)
    assert float(whiskers[1].get("y2")) == pytest.approx(up(high), abs=0.01)
    bars = [bar for bar in chart.iter(f"{SVG}rect") if bar.get("class") == "bar"]
    assert [bar.find(f"{SVG}title").text for bar in bars] == [
        "1 image with confidence up to 50 %",
        "10 images with confidence up to 75 %",
        "1,000 images with confidence up to 100 %",
    ]
    heights = [float(bar.get("height")) for bar in bars]
    assert 0 < heights[0] < heights[1] < heights[2]


def test_one_picture_is_enough_for_a_diagram():
    chart = ElementTree.fromstring(reliability_diagram(BINS[1:2]))
    assert len(list(chart.iter(f"{SVG}circle"))) == 1


def test_the_band_of_a_perfectly_calibrated_classifier_lies_behind_the_dots():
    banded = [replace(BINS[3], calibrated_low=0.8, calibrated_high=0.95), *BINS[:3]]
    chart = ElementTree.fromstring(reliability_diagram(banded))
    [band] = [r for r in chart.iter(f"{SVG}rect") if r.get("class") == "band"]
    top, height = float(band.get("y")), float(band.get("height"))
    assert (top, top + height) == pytest.approx((266 - 226 * 0.95, 266 - 226 * 0.8), abs=1.01)
    assert band.find(f"{SVG}title").text == "perfectly calibrated: accuracy 80.0 to 95.0 %"


@pytest.mark.parametrize("temperature", [None, 2.0])
def test_the_table_compares_before_and_after(temperature):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 3, generator=generator)
    labels = torch.randint(0, 3, (200,), generator=generator)
    evaluation = evaluate_logits(logits, labels, "abc", temperature=temperature)
    table, note = calibration_table(evaluation), calibration_note(evaluation)
    low, high = evaluation.expected_calibration_error_band
    text = table.replace("\u00a0", " ")
    assert f"{100 * low:.2f} % to {100 * high:.2f} %" in text
    assert ("Before" in text) == (temperature is not None)
    assert ("not calibrated" in note) == (temperature is None)
