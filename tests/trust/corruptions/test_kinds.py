"""Every corruption: its shape, its strengths, and that nothing but its seed decides it."""

from __future__ import annotations

import pytest
import torch

from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError, ShapeError
from tellapart.trust.corruptions import kinds
from tellapart.trust.corruptions.kinds import FAMILIES, Family, corrupt, family_of

EVERY = [(family, kind) for family, named in FAMILIES.items() for kind in named]


def photographs(count: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    """Smooth colours with an object in the middle and fine grain."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, channels, 4, 4, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    grain = torch.rand(count, channels, height, width, generator=generator) * 0.2
    images = (images * 0.7 + grain).clamp(0, 1)
    images[:, :, height // 3 : height // 2, width // 3 : -width // 3] *= 0.4
    return (images * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def images() -> dict[Family, torch.Tensor]:
    digits = load_data_set("mnist-sample").split("test").images[::25]
    return {"drawings": digits, "photographs": photographs(8, 64, 64)}


def mean_change(changed: torch.Tensor, images: torch.Tensor) -> float:
    return float((changed.float() - images.float()).abs().mean())


def test_there_are_fifteen_of_each_family():
    assert [len(named) for named in FAMILIES.values()] == [15, 15]


@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_it_changes_every_image_and_more_with_its_strength(family: Family, kind: str, images):
    before = images[family]
    kept = before.clone()
    changes = []
    for strength in range(1, 6):
        changed = corrupt(before, kind, strength, family=family)
        assert (changed.dtype, changed.shape) == (torch.uint8, before.shape)
        assert bool((changed != before).flatten(1).any(1).all())
        changes.append(mean_change(changed, before))
    # The blur at the end of glass blur takes away some of what the exchange of pixels changed.
    if kind != "glass blur":
        assert changes == sorted(changes)
    assert changes[4] > 1.05 * changes[0]
    assert torch.equal(before, kept)


@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_it_is_the_same_whatever_is_computed_at_once(family, kind, images, monkeypatch):
    # The numbers of an image follow from its block, and a block from the shape of the images.
    before = images[family][:7]
    monkeypatch.setattr(kinds, "_VALUES_OF_A_BLOCK", 3 * before[0].numel())
    whole = corrupt(before, kind, 3, family=family)
    assert torch.equal(corrupt(before, kind, 3, family=family), whole)
    assert torch.equal(corrupt(before[:3], kind, 3, family=family), whole[:3])
    with torch.random.fork_rng():
        torch.manual_seed(9)
        assert torch.equal(corrupt(before, kind, 3, family=family), whole)


def test_another_seed_draws_other_numbers(images):
    digits = images["drawings"]
    first, second = (corrupt(digits, "zigzag", 3, seed=seed) for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_any_channels_and_any_sides(family: Family, kind: str):
    for channels, height, width in ((1, 40, 23), (2, 8, 8), (3, 70, 100)):
        before = photographs(2, height, width, channels)
        if family == "drawings":
            before = torch.where(before > 150, before, 0)
        changed = corrupt(before, kind, 4, family=family)
        assert changed.shape == before.shape


def test_a_drawing_on_light_paper_is_corrupted_as_its_negative(images):
    digits = images["drawings"]
    for kind in ("fog", "rotate", "zigzag", "brightness"):
        light = corrupt(255 - digits, kind, 3)
        assert torch.equal(light, 255 - corrupt(digits, kind, 3))


def test_lengths_grow_with_the_image(images):
    digits = images["drawings"]
    large = digits.repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)
    for kind in ("motion blur", "translate", "stripe", "glass blur", "zigzag"):
        ours, theirs = (mean_change(corrupt(i, kind, 4), i) for i in (digits, large))
        assert theirs == pytest.approx(ours, rel=0.25), kind


def test_what_cannot_be_corrupted_is_refused(images):
    digits = images["drawings"]
    with pytest.raises(ConfigError, match=r"'fogg' of drawings; did you mean 'fog'"):
        corrupt(digits, "fogg", 1)
    with pytest.raises(ConfigError, match="known: gaussian noise"):
        corrupt(digits, "xyz", 1, family="photographs")
    for strength in (0, 6):
        with pytest.raises(ConfigError, match="1 to 5, got"):
            corrupt(digits, "fog", strength)
    with pytest.raises(ShapeError, match="at least 8 pixels"):
        corrupt(digits[..., :7], "fog", 1)
    with pytest.raises(ShapeError, match="float32"):
        corrupt(digits.float(), "fog", 1)


def test_digits_are_drawings_and_photographs_are_not(images):
    assert {family_of(part): name for name, part in images.items()} == {
        "drawings": "drawings",
        "photographs": "photographs",
    }
