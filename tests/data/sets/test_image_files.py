"""From a folder to splits: the form chosen, the cache used, splits made, everything noted."""

import os
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.data.images import bulk
from tellapart.data.images import cache as image_cache
from tellapart.data.images.decoding import decode
from tellapart.data.images.fast_resize import resize_many
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Frame, Preparation
from tellapart.data.quality.duplicates import count_shared_images
from tellapart.data.sets import form
from tellapart.data.sets.folder import list_folder
from tellapart.data.sets.form import choose_frame, own_shape
from tellapart.data.sets.source import opened_files
from tellapart.data.sets.sources import load_data_set, open_source
from tellapart.errors import ConfigError, DataError


def load(folder, progress=None, **asked):
    return opened_files(list_folder(folder)).load(Preparation(**asked), progress)


def alone(path):
    """A file's pixels, (channels, height, width), read without a cache and the same filter."""
    with quiet_pillow():
        pixels = decode(path, Frame(3, 40, 40), resize_many).pixels
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def sizes(data_set):
    return {name: len(part) for name, part in data_set.splits.items()}


@pytest.fixture
def decoded(monkeypatch):
    """The names of files that were decoded."""
    names = []
    monkeypatch.setattr(
        bulk, "decode", lambda path, *rest: (names.append(path.name), decode(path, *rest))[1]
    )
    return names


def test_every_image_is_what_reading_it_alone_gives(pets):
    data_set = load(pets)
    for split, part in data_set.splits.items():
        for image, label, path in zip(part.images, part.labels, data_set.files[split], strict=True):
            assert torch.equal(image, alone(path))
            assert part.class_names[label] == path.parent.name
    assert data_set.class_names == ("cat", "dog")
    assert data_set.split("train").mapped


def test_splits_are_made_stratified_by_the_seed_and_reported(pets):
    data_set = load(pets, test_fraction=0.2, validation_fraction=0.3)
    assert sizes(data_set) == {"train": 10, "validation": 6, "test": 4}
    assert all(
        part.class_counts()[0] == part.class_counts()[1] for part in data_set.splits.values()
    )
    assert (
        "no test split was given: 20% of each class is held out, look-alikes together, "
        "by data.split_seed 0" in data_set.notes
    )
    assert load(pets, test_fraction=0.2, validation_fraction=0.3).files == data_set.files
    assert load(pets, test_fraction=0.2, validation_fraction=0.3, seed=1).files != data_set.files
    assert (
        load(pets, test_fraction=0.2, validation_fraction=0.3, seed=1).fingerprint
        != data_set.fingerprint
    )


def test_copies_stay_on_one_side(pets, make_picture):
    for number in range(10):  # the same ten cats, saved again
        make_picture(pets / "cat" / f"again{number}.bmp", number)
    for seed in range(5):
        data_set = load(pets, seed=seed)
        tested = {path.stem.removeprefix("again") for path in data_set.files["test"]}
        tested_cats = [p.stem for p in data_set.files["test"] if p.parent.name == "cat"]
        assert len(tested_cats) == 2 * len({stem.removeprefix("again") for stem in tested_cats})
        assert tested


@pytest.fixture
def cells(tmp_path, make_picture):
    """Ten patients with two to five pictures each, of both classes."""
    for patient in range(10):
        for number in range(2 + patient % 4):
            place = ("cancer", "healthy")[number % 2]
            seed = 10 * patient + number
            make_picture(tmp_path / "cells" / place / f"patient{patient}_{number}.png", seed)
    return tmp_path / "cells"


def splits_by_group(data_set):
    found = {}
    for split, names in data_set.groups.items():
        for name in names:
            found.setdefault(name, set()).add(split)
    return found


def test_groups_by_a_pattern_stay_together_and_are_reported(cells):
    ungrouped = load(cells, validation_fraction=0.2)
    assert not ungrouped.groups
    asked = {"group_by": r"patient(\d+)_", "validation_fraction": 0.2}
    for seed in range(5):
        data_set = load(cells, seed=seed, **asked)
        assert sizes(data_set).keys() == {"train", "validation", "test"}
        found = splits_by_group(data_set)
        assert found.keys() == set("0123456789")
        assert {len(splits) for splits in found.values()} == {1}
        for split, names in data_set.groups.items():
            assert all(
                f"patient{n}_" in p.name for n, p in zip(names, data_set.files[split], strict=True)
            )
    assert any("33 images in 10 groups" in n and "group_by" in n for n in data_set.notes)
    assert all(any(f"no {split} split" in n and "%" in n for n in data_set.notes)
               for split in ("test", "validation"))  # fmt: skip
    assert load(cells, seed=4, **asked).fingerprint == data_set.fingerprint


def test_a_file_that_is_in_two_groups_keeps_them_together(cells):
    def together():
        loaded = [load(cells, seed=seed, group_by=r"patient(\d+)_") for seed in range(12)]
        assert all(count_shared_images(data_set) == {("test", "train"): 0} for data_set in loaded)
        found = [splits_by_group(data_set) for data_set in loaded]
        assert all(len(splits) == 1 for groups in found for splits in groups.values())
        return {groups["0"] == groups["1"] for groups in found}

    assert together() == {True, False}
    shutil.copy(cells / "cancer/patient0_0.png", cells / "cancer/patient1_9.png")
    assert together() == {True}


def test_groups_stay_where_near_duplicates_are_ignored(cells):
    data_set = load(cells, group_by=r"patient(\d+)_", near_duplicates="ignore")
    assert {len(splits) for splits in splits_by_group(data_set).values()} == {1}


def test_a_pattern_is_for_files(tmp_path):
    opened = open_source("mnist-sample")
    with pytest.raises(ConfigError, match=r"mnist-sample.*arrays.*leave it out"):
        opened.load(Preparation(group_by="(x)"))


@pytest.mark.parametrize("asked", ["together", "ignore"])
def test_a_fixed_camera_is_divided_image_by_image_and_reported(tmp_path, asked):
    noise = np.random.default_rng(0)
    scene = noise.integers(30, 200, (8, 8, 3), dtype=np.uint8)
    scene = np.asarray(Image.fromarray(scene).resize((64, 64), Image.Resampling.BICUBIC))
    for name in ("off", "on"):
        (tmp_path / "lamp" / name).mkdir(parents=True)
        for number in range(10):
            frame = scene + noise.normal(0, 6, scene.shape)
            frame[40:50, 20:30] = 250 if name == "on" else frame[40:50, 20:30]
            pixels = np.clip(frame, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "lamp" / name / f"{number}.png")
    data_set = load(tmp_path / "lamp", near_duplicates=asked)
    assert sizes(data_set) == {"train": 16, "test": 4}
    assert count_shared_images(data_set) == {("test", "train"): 4}
    names_the_setting = any("data.near_duplicates=ignore" in note for note in data_set.notes)
    assert names_the_setting == (asked == "together")


def test_undivided_images_can_all_go_to_one_split(pets):
    data_set = load(pets, undivided="test", class_names=("bird", "cat", "dog"))
    assert sizes(data_set) == {"test": 20}
    assert data_set.class_names == ("bird", "cat", "dog")
    assert data_set.split("test").class_counts() == (0, 10, 10)


def test_given_splits_stay_and_leaks_are_counted(tmp_path, make_picture):
    for number in range(6):
        make_picture(tmp_path / "set/train/cat" / f"{number}.png", number)
        make_picture(tmp_path / "set/train/dog" / f"{number}.png", 100 + number)
    make_picture(tmp_path / "set/val/cat/same.png", 3)
    make_picture(tmp_path / "set/val/cat/new.png", 50)
    data_set = load(tmp_path / "set", test_fraction=0.0)
    assert sizes(data_set) == {"train": 12, "validation": 2}
    assert count_shared_images(data_set) == {("validation", "train"): 1}
    assert "validation has no image of 'dog'" in data_set.notes


def test_what_cannot_be_read_is_left_out_with_its_reason(pets):
    (pets / "cat" / "empty.jpg").touch()
    (pets / "cat" / "page.jpg").write_text("<html>")
    whole = (pets / "dog" / "3.png").read_bytes()
    (pets / "dog" / "3.png").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):  # decoded, and from the cache
        data_set = load(pets, test_fraction=0)
        assert sizes(data_set) == {"train": 19}
        found = {item.path.name: item.reason for item in data_set.left_out}
        assert found["empty.jpg"] == "the file is empty; copy it again"
        assert found["page.jpg"].startswith("it holds HTML or XML")
        assert "the file is damaged" in found["3.png"]
        (note,) = [note for note in data_set.notes if note.startswith("left out")]
        assert note.startswith("left out, unreadable: 3 (cat/empty.jpg: the file is empty")


def test_the_second_time_nothing_is_decoded(pets, decoded):
    seen = []
    first = load(pets, lambda done, total: seen.append((done, total)))
    assert sorted(decoded) == sorted(path.name for path in pets.rglob("*.png"))
    assert seen[-1] == (20, 20)
    assert load(pets).fingerprint == first.fingerprint
    assert len(decoded) == 20


def test_moving_renaming_and_dividing_anew_decode_nothing(pets, decoded, tmp_path):
    before = load(pets)
    shutil.copytree(pets, tmp_path / "moved")
    (tmp_path / "moved" / "dog").rename(tmp_path / "moved" / "aardvark")
    after = load(tmp_path / "moved", seed=3)
    assert len(decoded) == 20
    assert after.class_names == ("aardvark", "cat")
    for split, part in after.splits.items():
        for image, path in zip(part.images, after.files[split], strict=True):
            assert torch.equal(image, alone(path))
    # What is mapped already stays as it was, also where the file below it was rewritten.
    path = before.files["train"][0]
    assert torch.equal(before.split("train").images[0], alone(path))


def test_of_a_set_that_shrinks_and_grows_only_what_is_new_is_decoded(pets, decoded, make_picture):
    load(pets)
    (pets / "cat" / "3.png").unlink()
    (pets / "dog" / "broken.png").write_bytes(b"no image")
    assert [item.path.name for item in load(pets).left_out] == ["broken.png"]
    assert decoded[20:] == ["broken.png"]
    make_picture(pets / "dog" / "new.png", 77)
    shutil.copy(pets / "cat" / "4.png", pets / "cat" / "again.png")
    after = load(pets, seed=1)
    assert sorted(decoded[21:]) == ["broken.png", "new.png"]
    assert sum(sizes(after).values()) == 21
    for split, part in after.splits.items():
        for image, path in zip(part.images, after.files[split], strict=True):
            assert torch.equal(image, alone(path))


def test_what_was_taken_over_is_divided_as_what_was_decoded(pets, own_cache):
    load(pets)
    (pets / "cat" / "3.png").unlink()
    taken_over = load(pets)
    shutil.rmtree(own_cache)
    assert load(pets).files == taken_over.files


def test_another_form_takes_nothing_over(pets, decoded, monkeypatch):
    load(pets)
    load(pets, fit="crop")
    load(pets, channels=1)
    assert len(decoded) == 60
    # Decoded by another rule, a file has other pixels.
    monkeypatch.setattr(image_cache, "_FORMAT", image_cache._FORMAT + 1)
    load(pets)
    assert len(decoded) == 80


def test_a_changed_image_changes_the_set(pets, make_picture):
    before = load(pets)
    make_picture(pets / "cat" / "0.png", 999)
    os.utime(pets / "cat" / "0.png", (1, 1))
    assert load(pets).fingerprint != before.fingerprint


@pytest.mark.parametrize("name", ["index.npz", "pixels-*.u8", "unreadable.json", "facts.json"])
def test_a_damaged_cache_is_filled_again(pets, own_cache, decoded, name):
    before = load(pets)
    (damaged,) = (own_cache / "pictures").glob(f"*/{name}")
    damaged.write_bytes(damaged.read_bytes()[:-7])
    assert load(pets).fingerprint == before.fingerprint
    assert len(decoded) == 40


def test_an_interrupted_filling_leaves_nothing(pets, own_cache, monkeypatch):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(pets, interrupt)
    assert list((own_cache / "pictures").iterdir()) == []


def test_no_room_is_reported(pets, monkeypatch):
    def full(descriptor, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    # Neither in the cache nor in the temporary folder.
    with pytest.raises(DataError, match=r"No space left on device.*TELLAPART_CACHE"):
        load(pets)


@pytest.mark.parametrize(
    ("picture_sizes", "mode", "expected"),
    [
        ([(40, 30)] * 3, "RGB", Frame(3, 30, 40)),
        ([(40, 30)] * 3, "L", Frame(1, 30, 40)),
        ([(200, 200)] * 3, "RGB", Frame(3, 128, 128)),
        ([(60, 90), (70, 70), (300, 200)], "RGB", Frame(3, 64, 64)),
        ([(100, 500), (100, 100), (99, 99)], "RGB", Frame(3, 96, 96)),
        ([(10, 10), (11, 11)], "RGB", Frame(3, 32, 32)),
    ],
)
def test_the_form_is_chosen_by_the_images(tmp_path, make_picture, picture_sizes, mode, expected):
    for number, size in enumerate(picture_sizes):
        make_picture(tmp_path / "set" / "a" / f"{number}.png", number, size, mode)
    listing = list_folder(tmp_path / "set")
    assert choose_frame(Preparation(), partial(own_shape, listing)) == expected


@pytest.mark.parametrize("suffix", ["jpg", "tif", "png"])
@pytest.mark.parametrize(("orientation", "expected"), [(1, (30, 40)), (3, (30, 40)), (6, (40, 30))])
def test_the_form_is_that_of_images_turned_upright(tmp_path, suffix, orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "set" / "a").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (40, 30), "red").save(tmp_path / f"set/a/{number}.{suffix}", exif=exif)
    assert own_shape(list_folder(tmp_path / "set")) == (3, *expected)


def test_headers_are_read_once_and_only_where_something_is_left_to_choose(pets, monkeypatch):
    looked = []
    headers = form._sampled_headers
    monkeypatch.setattr(form, "_sampled_headers", lambda files: looked.append(1) or headers(files))
    opened = opened_files(list_folder(pets))
    whole = opened.load(Preparation(height=50, width=40, channels=1, fit="crop"), None)
    assert whole.split("train").image_shape == (1, 50, 40)
    assert not looked
    chosen = opened.load(Preparation(channels=1), None)
    assert chosen.split("train").image_shape == (1, *opened.image_shape[1:])
    assert len(looked) == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"test_fraction": 0.2}, "at least 2 images.*class 'owl' has 1"),
        (
            {"class_names": ("cat", "dog"), "test_fraction": 0},
            "train has images of 'owl', the classes",
        ),
    ],
)
def test_a_class_that_cannot_be_divided_or_is_unknown(pets, make_picture, asked, message):
    make_picture(pets / "owl" / "a.png", 77)
    with pytest.raises(DataError, match=message):
        load(pets, **asked)


def test_nothing_but_rubbish_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "x.jpg").write_text("no image")
    with pytest.raises(
        DataError, match=r"none of the images .* can be read; .*a.x\.jpg: not an image"
    ):
        load(tmp_path / "set")
    with pytest.raises(DataError, match=r"none of its images can be read; .*x\.jpg: not an image"):
        load(tmp_path / "set", height=8, width=8, channels=3)


def test_a_class_of_the_test_alone_is_refused(tmp_path, make_picture):
    for number in range(3):
        make_picture(tmp_path / "set/train/cat" / f"{number}.png", number)
        make_picture(tmp_path / "set/train/eel" / f"{number}.png", 90 + number)
    make_picture(tmp_path / "set/test/dog/0.png", 9)
    with pytest.raises(
        DataError, match="test has images of 'dog', the classes learned are 'cat', 'eel'"
    ):
        load(tmp_path / "set")


def test_a_table_gives_what_its_folder_gives(pets):
    rows = [f"{path},{path.parent.name}" for path in sorted(pets.rglob("*.png"))]
    (pets.parent / "pets.csv").write_text("path,label\n" + "\n".join(rows))
    ours, theirs = load_data_set(pets.parent / "pets.csv"), load_data_set(pets)
    assert ours.fingerprint == theirs.fingerprint
    assert ours.name == "pets"


def test_what_is_known_before_anything_is_decoded(pets, decoded):
    opened = open_source(pets)
    assert (opened.name, opened.train_counts) == ("pets", {"cat": 10, "dog": 10})
    assert opened.image_shape == (3, 40, 40)
    assert decoded == []


def test_ants_and_bees(data_dir):
    data_set = load_data_set(data_dir / "ants-bees")
    assert sizes(data_set) == {"train": 196, "validation": 153, "test": 49}
    assert data_set.split("train").image_shape == (3, 128, 128)
    assert [item.kind for item in data_set.left_out] == ["system file", "system file"]
    assert set(count_shared_images(data_set).values()) == {0}
    assert np.isclose(data_set.split("test").class_counts(), 24.5, atol=0.5).all()


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_given_split_of_which_nothing_can_be_read_is_refused(tmp_path, make_picture, split):
    for number in range(24):
        part = ("train", "validation", "test")[number % 3]
        place = tmp_path / "set" / part / ("cat" if number % 2 else "dog") / f"{number}.png"
        make_picture(place, number)
        if part == split:
            place.write_text(POINTER + str(number))
    with pytest.raises(DataError, match=rf"{split} .*8 images.*git lfs pull"):
        load(tmp_path / "set")


def test_other_splits_of_data_to_be_evaluated_may_be_unreadable(tmp_path, make_picture):
    for number in range(8):
        name = "cat" if number % 2 else "dog"
        make_picture(tmp_path / "set/test" / name / f"{number}.png", number)
        place = make_picture(tmp_path / "set/train" / name / f"{number}.png", 100 + number)
        place.write_text(POINTER + str(number))
    data_set = load(tmp_path / "set", undivided="test", class_names=("cat", "dog"))
    assert {split: len(part) for split, part in data_set.splits.items()} == {"test": 8}
    with pytest.raises(DataError, match=r"train .*8 images.*git lfs pull"):
        load(tmp_path / "set", undivided="train", class_names=("cat", "dog"))


def test_a_class_of_which_nothing_can_be_read_is_named(pets):
    (pets / "fish").mkdir()
    for number in range(3):
        (pets / "fish" / f"{number}.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes([number] * 50))
    data_set = load(pets)
    assert data_set.class_names == ("cat", "dog")
    assert any("'fish'" in note and "3 images" in note for note in data_set.notes)
