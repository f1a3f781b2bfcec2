"""The page of outside images: figures, the histogram with its threshold, the images."""

from __future__ import annotations

import re

import torch

from tellapart.trust.outside.comparison import (
    Flagged,
    InsideLooking,
    OutsideComparison,
    OutsideSource,
    separations_of,
)
from tellapart.trust.outside.page import histogram, render_outside


def comparison(threshold=0.9):
    inside = {"nearest-neighbour": torch.linspace(0, 1, 50), "energy": torch.linspace(-9, -1, 50)}
    outside = {"nearest-neighbour": torch.linspace(0.8, 2, 30), "energy": torch.linspace(-8, 0, 30)}
    separations = separations_of(inside, [outside])
    shown = (InsideLooking(7, "a/<b>.png", 0.8, "three & four", 0.75),)
    source = OutsideSource("photos", 30, separations, Flagged(27, 30) if threshold else None, shown)
    flagged = Flagged(5, 50) if threshold else None
    found = OutsideComparison(
        "nearest-neighbour", threshold, "digits, test split", 50, flagged, separations, (source,)
    )
    page = render_outside(
        found,
        title="digits",
        inside_scores=inside["nearest-neighbour"],
        outside_scores=[outside["nearest-neighbour"]],
        images=[torch.zeros(1, 1, 4, 4, dtype=torch.uint8)],
        origin={"run": "r"},
    )
    return found, page


def test_the_page_has_the_figures_the_histogram_and_the_images():
    found, page = comparison()
    area = found.to_json()["auroc"]
    assert f"{100 * area:.2f}" in page
    assert "predict flags 27 of the 30 outside images" in page
    assert "<svg" in page
    assert page.count("<img") == 1
    assert "three &amp; four" in page
    assert "a/&lt;b&gt;.png" in page
    assert page == comparison()[1]
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", page)


def test_without_a_threshold_nothing_is_flagged_or_marked():
    found, page = comparison(threshold=None)
    assert "flags nothing" in page
    assert ">threshold<" not in page
    assert "flagged" not in found.to_json()["inside"]
    assert found.to_json()["threshold"] is None


def test_each_side_of_the_histogram_adds_up_to_all_its_images():
    inside, outside = torch.linspace(0, 1, 101), torch.linspace(1, 3, 37)
    chart = histogram(inside, outside, 1.0)
    for name in ("inside", "outside"):
        fractions = re.findall(rf"([\d.]+) % of the {name} images", chart)
        assert abs(sum(map(float, fractions)) - 100) < 0.5
    assert "threshold" in chart


def test_images_that_all_have_one_score_can_be_drawn():
    assert "<svg" in histogram(torch.zeros(3), torch.zeros(2), None)
    assert "<svg" in histogram(torch.zeros(3), torch.full((2,), 1e-3), 0.0)
    far = torch.cat([torch.linspace(1, 2, 199), torch.tensor([1e9])])
    assert "<svg" in histogram(torch.linspace(0, 1, 50), far, 1.0)
