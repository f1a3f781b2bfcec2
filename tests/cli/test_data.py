"""The commands of ``data``: what they print, also as JSON, and what they leave behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from tellapart.data.sets.catalogue import CATALOGUE


def test_data_list(tellapart):
    outcome = tellapart("data", "list")
    assert outcome.code == 0
    for name in CATALOGUE:
        assert re.search(rf"^{name} ", outcome.out, re.MULTILINE)
    rows = tellapart("data", "list", "--json").json["data_sets"]
    assert [row["name"] for row in rows] == list(CATALOGUE)
    assert rows[0]["download_bytes"] == 0
    assert rows[0]["classes"] == list("0123456789")


def test_data_fetch_of_the_bundled_set_needs_no_network(tellapart):
    outcome = tellapart("data", "fetch", "mnist-sample")
    assert outcome.code == 0
    paths = outcome.out.splitlines()
    assert len(paths) == 4
    assert all(Path(path).is_file() for path in paths)
    content = tellapart("data", "fetch", "mnist-sample", "--json").json
    assert content == {"name": "mnist-sample", "files": paths}
    assert not any(Path().iterdir())


@pytest.fixture
def pets(monkeypatch):
    """A folder of two classes with a leak from train to test."""
    monkeypatch.setenv("TELLAPART_CACHE", str(Path("cache").resolve()))
    for label, name in enumerate(("cat", "dog")):
        for number in range(8):
            coarse = torch.randint(0, 256, (5, 5, 3), dtype=torch.uint8).numpy()
            picture = Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC)
            for split in ("train", "test") if number == label == 0 else ("train",):
                Path("pets", split, name).mkdir(parents=True, exist_ok=True)
                picture.save(Path("pets", split, name, f"{number}.png"))
    return "pets"


def test_a_check_that_finds_leaks_ends_with_2_unless_it_is_allowed(tellapart, pets):
    outcome = tellapart("data", "check", pets, "--page", "check.html")
    assert outcome.code == 2
    assert "1 of the 1 images of test are in train too" in outcome.out
    assert "pets/train/cat/0.png = pets/test/cat/0.png" in outcome.out
    assert outcome.out.endswith("page       check.html\n")
    assert "preparing images: 16 of 16" in outcome.err
    named = tellapart("data", "check", pets, "--recipe", "photos", "--allow", "--json")
    assert "validation" in named.json["class_counts"]
    allowed = tellapart("data", "check", pets, "--allow", "--json")
    assert "validation" not in allowed.json["class_counts"]
    assert allowed.code == 0
    assert allowed.json["has_leaks"]
    assert allowed.json["page"] is None


def test_preparing_reports_what_and_where(tellapart, pets):
    outcome = tellapart("data", "prepare", pets, "--set", "data.size=24")
    assert outcome.code == 0
    assert "2 classes; 24x24 colour" in outcome.out
    assert tellapart("data", "prepare", pets, "--json").json["image_shape"] == [3, 32, 32]
