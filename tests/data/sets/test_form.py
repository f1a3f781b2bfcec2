"""The form of a set: what only all of its images together can settle."""

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.data.preparation import Preparation
from tellapart.data.sets import form
from tellapart.data.sets.folder import list_folder
from tellapart.data.sets.source import opened_files


def load(folder, **asked):
    return opened_files(list_folder(folder)).read(
        Preparation(**({"test_fraction": 0.0} | asked)), None
    )


def coarse(seed):
    small = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((40, 40), Image.Resampling.BICUBIC))


def save_deep(folder, bits, number=8, top=None):
    """Images of so many bits, stored with 16."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(number):
        values = coarse(seed).astype(np.uint16) * ((2**bits - 1) // 255)
        values[0, 0] = 2**bits - 1 if top is None else top
        Image.fromarray(values).save(folder / f"{seed}.png")


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_one_white_level_for_the_set_by_the_bits_that_are_used(tmp_path, bits):
    save_deep(tmp_path / "set" / "a", bits)
    data_set = load(tmp_path / "set")
    assert data_set.white_level == 2**bits - 1
    assert data_set.split("train").images.max() == 255
    assert any(str(2**bits - 1) in note and "white" in note for note in data_set.notes)


def test_one_brighter_image_that_no_sample_saw_settles_it_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(form, "_NUM_PEAKS", 1)
    save_deep(tmp_path / "set" / "a", 10, 60)
    save_deep(tmp_path / "set" / "b", 12, 1)
    for _ in range(2):  # decoded, and from the cache
        data_set = load(tmp_path / "set")
        assert data_set.white_level == 4095
        assert data_set.left_out == ()
        assert any("b/0.png" in note and "4095" in note for note in data_set.notes)


def test_8_bits_and_16_bits_agree(tmp_path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "b").mkdir(parents=True)
    Image.fromarray(coarse(1)).save(tmp_path / "set/a/8.png")
    Image.fromarray(coarse(1).astype(np.uint16) * 257).save(tmp_path / "set/b/16.png")
    data_set = load(tmp_path / "set")
    first, second = data_set.split("train").images
    assert torch.equal(first, second)


def test_a_given_white_level_stays_and_what_exceeds_it_is_left_out_by_name(tmp_path):
    save_deep(tmp_path / "set" / "a", 12, 4, top=3000)
    save_deep(tmp_path / "set" / "b", 16, 1)
    data_set = load(tmp_path / "set", white_level=4095)
    assert data_set.white_level == 4095
    (left_out,) = data_set.left_out
    assert left_out.path.parts[-2:] == ("b", "0.png")
    assert "65535" in left_out.reason
    assert "4095" in left_out.reason


def test_a_given_white_level_that_is_far_too_high_is_told(tmp_path):
    save_deep(tmp_path / "set" / "a", 12)
    assert any("darker" in note for note in load(tmp_path / "set", white_level=65535).notes)
    assert not any("darker" in note for note in load(tmp_path / "set", white_level=4095).notes)


def test_the_white_level_is_part_of_the_fingerprint(tmp_path):
    save_deep(tmp_path / "set" / "a", 12)
    asked = [load(tmp_path / "set", white_level=level) for level in (4095, 16383, 65535)]
    assert len({data_set.fingerprint for data_set in asked}) == 3
    assert load(tmp_path / "set").fingerprint == asked[0].fingerprint


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_grey_stored_as_colour_makes_the_set_grey(tmp_path, mode, suffix):
    if suffix == "jpg" and mode != "RGB":
        pytest.skip("JPEG has no such mode")
    (tmp_path / "set" / "a").mkdir(parents=True)
    for seed in range(6):
        image = Image.fromarray(coarse(seed)).convert(mode)
        image.save(tmp_path / f"set/a/{seed}.{suffix}")
    assert load(tmp_path / "set").split("train").image_shape == (1, 40, 40)
    assert load(tmp_path / "set", channels=3).split("train").image_shape == (3, 40, 40)


def test_one_coloured_image_that_no_sample_saw_keeps_the_set_coloured(tmp_path, monkeypatch):
    monkeypatch.setattr(form, "_NUM_DECODED", 1)
    (tmp_path / "set" / "a").mkdir(parents=True)
    for seed in range(6):
        image = Image.fromarray(coarse(seed)).convert("RGB")
        if seed == 4:
            image.paste((200, 0, 0), (5, 5, 20, 20))
        image.save(tmp_path / f"set/a/{seed}.png")
    listing = list_folder(tmp_path / "set")
    assert form.own_shape(listing)[0] == 1
    for _ in range(2):  # decoded, and from the cache
        data_set = load(tmp_path / "set")
        assert data_set.split("train").image_shape == (3, 40, 40)
    assert load(tmp_path / "set", channels=1).split("train").image_shape == (1, 40, 40)


def test_files_with_more_frames_are_counted(tmp_path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    for seed in range(5):
        pages = [Image.fromarray(coarse(10 * seed + page)) for page in range(3)]
        more = {"save_all": True, "append_images": pages[1:]} if seed < 4 else {}
        pages[0].save(tmp_path / f"set/a/{seed}.tif", **more)
    for _ in range(2):  # decoded, and from the cache
        (note,) = [note for note in load(tmp_path / "set").notes if "frame" in note]
        assert note.startswith("4 files")
