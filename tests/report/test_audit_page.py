"""The page of a check: every finding, its pictures, its files, and nothing that runs."""

from pathlib import Path

import pytest
import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.listing import LeftOut
from tellapart.data.quality.findings import Audit, Finding, FoundImage
from tellapart.report.audit_page import render_audit


@pytest.fixture
def data_set():
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    part = ImageSet(images, torch.tensor([0, 0, 1, 1]), ("cat", "<dog>"))
    return DataSet(
        "pets & more",
        {"train": part, "test": part},
        "0",
        notes=("a note",),
        left_out=(LeftOut(Path("x.jpg"), "unreadable", "empty"),),
    )


def picture(split="train", index=0, path=None):
    return FoundImage(split, index, "cat", path)


def test_everything_that_was_found_is_on_it(data_set):
    leak = Finding(
        "exact duplicates across splits", "leak", "1 of 4 are in train too",
        groups=((picture(), picture("test", 2, "/data/a&b.jpg")),),
    )  # fmt: skip
    fault = Finding("unreadable", "fault", "1 left out", paths=(("x.jpg", "the file is empty"),))
    page = render_audit(data_set, Audit((leak, fault)))
    assert "Not fit to be measured on" in page
    assert page.count("<img") == 2
    assert "a&amp;b.jpg" in page
    assert "pets &amp; more" in page
    assert "&lt;dog&gt;" in page
    assert "the file is empty" in page
    assert "a note" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [("fault", "Fit to be trained on, with faults"), ("fact", "Nothing is wrong with it")],
)
def test_the_verdict_is_that_of_the_gravest(data_set, severity, verdict):
    assert verdict in render_audit(data_set, Audit((Finding("k", severity, "m"),)))
    assert "Nothing is wrong" in render_audit(data_set, Audit(()))


def test_of_many_groups_the_first_are_shown_and_the_rest_counted(data_set):
    groups = tuple((picture(index=i % 4), picture(index=(i + 1) % 4)) for i in range(30))
    many = tuple((f"{i}.txt", "ends in .txt") for i in range(250))
    page = render_audit(
        data_set,
        Audit((Finding("k", "fault", "m", groups=groups), Finding("l", "fact", "m", paths=many))),
    )
    assert page.count("<img") == 48
    assert "and 6 more such groups" in page
    assert "199.txt" in page
    assert "200.txt" not in page
    assert "and 50 more" in page


def test_of_a_large_group_the_first_are_shown_and_the_rest_counted(data_set):
    group = tuple(picture(index=i % 4) for i in range(500))
    page = render_audit(data_set, Audit((Finding("k", "fault", "m", groups=(group,)),)))
    assert page.count("<img") == 6
    assert "and 494 more in this group" in page


def test_the_same_input_gives_the_same_bytes(data_set):
    assert render_audit(data_set, Audit(())) == render_audit(data_set, Audit(()))
