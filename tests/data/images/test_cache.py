"""A cache that cannot be written ends nothing."""

import os
from pathlib import Path

import pytest
import torch

from tellapart.data.images import bulk, cache
from tellapart.data.preparation import Preparation
from tellapart.data.sets.folder import list_folder
from tellapart.data.sets.source import opened_files


def load(folder, **asked):
    return opened_files(list_folder(folder)).load(Preparation(**asked), None)


def problems(data_set):
    return [note for note in data_set.notes if "TELLAPART_CACHE" in note]


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    """A file where the cache's folder should be."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "file" / "cache"))


def test_without_a_cache_the_images_are_the_same_and_one_note_tells(pets, no_cache, monkeypatch):
    without = load(pets)
    assert len(problems(without)) == 1
    assert "Not a directory" in without.cache_problem
    monkeypatch.setenv("TELLAPART_CACHE", str(pets.parent / "cache"))
    within = load(pets)
    assert problems(within) == []
    assert within.cache_problem == ""
    assert within.fingerprint == without.fingerprint
    for split in within.splits:
        assert torch.equal(within.split(split).images, without.split(split).images)


def test_in_one_process_nothing_is_decoded_twice(pets, no_cache, monkeypatch):
    load(pets)
    monkeypatch.setattr(bulk, "decode", None)
    assert len(problems(load(pets))) == 1


def test_a_full_disk_is_told_and_the_temporary_folder_taken(pets, own_cache, monkeypatch):
    allocate = os.posix_fallocate

    def full(descriptor, offset, length):
        if str(own_cache) in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        allocate(descriptor, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", full)
    data_set = load(pets)
    assert "No space left on device" in data_set.cache_problem
    assert data_set.split("train").images.float().std() > 10


def test_a_cache_that_can_only_be_read_is_used(pets, monkeypatch):
    before = load(pets)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache, "_fill", refuse)
    monkeypatch.setattr(cache, "_rearrange", refuse)
    monkeypatch.setattr(bulk, "decode", None)
    after = load(pets, seed=5)  # another order, which can be written nowhere in the cache
    assert after.cache_problem == ""
    rows = {path: image for split in before.splits for path, image in
            zip(before.files[split], before.split(split).images, strict=True)}  # fmt: skip
    for split, part in after.splits.items():
        for path, image in zip(after.files[split], part.images, strict=True):
            assert torch.equal(image, rows[path])
