"""How many images are held out for calibration, and which."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.data.hold_out.division import divide
from tellapart.data.preparation import Preparation
from tellapart.data.sets.sources import load_data_set
from tellapart.data.sets.table import table_text

TWO_PERCENT = Preparation(test_fraction=0.0, calibration_fraction=0.02)


def divided(labels, preparation=TWO_PERCENT, *, near=None, given=("test",), groups=None):
    names = [str(number) for number in range(int(labels.max()) + 1)]
    near = torch.arange(len(labels)) if near is None else near
    return divide(labels, names, near, given, preparation, groups)


@pytest.mark.parametrize(
    ("num_images", "fraction", "wanted"),
    [
        (60_000, 0.02, 1200),
        (4000, 0.02, 200),
        (2000, 0.02, 200),
        (1990, 0.02, None),
        (244, 0.02, None),
        (500_000, 0.02, 2000),
        (1000, 0.3, 300),
        (600, 0.3, None),
        (60_000, 0.0, None),
    ],
)
def test_two_percent_but_200_to_2000_and_at_most_a_tenth(num_images, fraction, wanted):
    labels = torch.arange(num_images) % 10
    division = divided(labels, replace(TWO_PERCENT, calibration_fraction=fraction))
    held_out = division.indices.get("calibration")
    if wanted is None:
        assert held_out is None
        assert any("uncalibrated" in note for note in division.notes) == (fraction > 0)
        return
    assert len(held_out) == pytest.approx(wanted, abs=5)
    assert len(held_out) >= min(wanted, 200)
    counts = torch.bincount(labels[held_out])
    assert int(counts.max() - counts.min()) <= 1
    both = torch.cat([division.indices["train"], held_out]).sort().values
    assert torch.equal(both, torch.arange(num_images))
    assert any(f"{len(held_out):,} images" in note for note in division.notes)


def test_unequal_classes_still_give_200():
    labels = torch.cat([torch.full((1204,), 0), torch.full((813,), 1), torch.full((13,), 2)])
    held_out = divided(labels).indices["calibration"]
    assert 200 <= len(held_out) <= 204
    assert torch.bincount(labels[held_out]).min() >= 1


@pytest.mark.parametrize("given", [("validation",), ("validation", "test")])
def test_nothing_is_held_out_beside_a_validation_split(given):
    labels = torch.arange(4000) % 10
    assert "calibration" not in divided(labels, given=given).indices
    both = replace(TWO_PERCENT, validation_fraction=0.1)
    assert set(divided(labels, both).indices) == {"train", "validation"}


def test_the_seed_decides_and_near_duplicates_and_groups_stay_together():
    labels, near = torch.arange(4000) // 400, torch.arange(4000) // 4 * 4
    first = divided(labels).indices["calibration"]
    assert torch.equal(first, divided(labels).indices["calibration"])
    other = divided(labels, replace(TWO_PERCENT, seed=1)).indices["calibration"]
    assert not torch.equal(first, other)
    for division in (divided(labels, near=near), divided(labels, groups=near)):
        train = set(near[division.indices["train"]].tolist())
        held_out = set(near[division.indices["calibration"]].tolist())
        assert not train & held_out
    apart = divided(labels, replace(TWO_PERCENT, near_duplicates="ignore"), near=near).indices
    assert set(near[apart["train"]].tolist()) & set(near[apart["calibration"]].tolist())


@pytest.mark.parametrize("in_groups", [False, True])
def test_a_class_that_cannot_be_divided_leaves_it_uncalibrated(in_groups):
    labels = torch.cat([torch.zeros(4000, dtype=torch.int64), torch.ones(1, dtype=torch.int64)])
    division = divided(labels, groups=torch.arange(4001) if in_groups else None)
    assert set(division.indices) == {"train"}
    assert any("uncalibrated" in note for note in division.notes)


def test_few_large_groups_are_not_given_away():
    labels = torch.arange(4000) % 2
    groups = torch.arange(4000) // 2 % 3  # three patients with a third of all images each
    division = divided(labels, groups=groups)
    assert set(division.indices) == {"train"}
    assert any("1,33" in note for note in division.notes)


def test_arrays_keep_near_duplicates_together_too(tmp_path):
    generator = np.random.default_rng(0)
    once = generator.integers(0, 256, (1100, 8, 8), dtype=np.uint8)
    images = np.concatenate([once, once])
    labels = np.tile(np.arange(1100) % 2, 2)
    np.savez(tmp_path / "twice.npz", x_train=images, y_train=labels,
             x_test=once[:4], y_test=labels[:4])  # fmt: skip
    found = load_data_set(tmp_path / "twice.npz", preparation=TWO_PERCENT)
    train, held_out = ({image.numpy().tobytes() for image in found.split(name).images}
                       for name in ("train", "calibration"))  # fmt: skip
    assert len(found.split("calibration")) >= 200
    assert not train & held_out
    assert set(found.near_groups) == {"train", "calibration", "test"}
    assert torch.isin(found.near_groups["test"], torch.cat(
        [found.near_groups["train"], found.near_groups["calibration"]])).all()  # fmt: skip


def test_the_table_that_a_run_writes_gives_the_same_splits_again(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2100, 8, 8), dtype=np.uint8)
    for number, image in enumerate(images):
        folder = tmp_path / "pictures" / f"class-{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:04}.png")
    asked = replace(TWO_PERCENT, test_fraction=0.02, seed=3)
    found = load_data_set(tmp_path / "pictures", preparation=asked)
    assert list(found.splits) == ["train", "test", "calibration"]
    rows = [
        (str(path), Path(path).parent.name, split)
        for split, paths in found.files.items()
        for path in paths
    ]
    (tmp_path / "images.csv").write_text(table_text(rows), "utf-8")
    again = load_data_set(tmp_path / "images.csv", preparation=replace(asked, seed=4))
    assert again.fingerprint == found.fingerprint
    assert {split: len(part) for split, part in again.splits.items()} == {
        split: len(part) for split, part in found.splits.items()
    }
