"""A mapped set gives the batches that one in memory gives."""

from dataclasses import replace

import pytest
import torch

from tellapart.data.image_set import ImageSet
from tellapart.training.batches import batches_of, placed

CPU = torch.device("cpu")


@pytest.fixture
def train():
    images = torch.arange(10 * 12, dtype=torch.uint8).view(10, 1, 3, 4)
    return ImageSet(images, torch.arange(10) % 2, ("a", "b"))


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("size", [3, 5, 10])
def test_every_batch_comes_once_and_in_order(train, mapped, size):
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    batches = torch.split(order, size)
    given = list(batches_of(replace(train, mapped=mapped), batches, CPU))
    assert torch.equal(torch.cat([images for images, _ in given]), train.images[order])
    assert torch.equal(torch.cat([labels for _, labels in given]), train.labels[order])
    assert [len(labels) for _, labels in given] == [len(batch) for batch in batches]


def test_a_fault_of_the_reader_is_raised_where_the_batch_is_wanted(train):
    batches = [torch.tensor([0]), torch.tensor([99])]
    given = batches_of(replace(train, mapped=True), batches, CPU)
    next(given)
    with pytest.raises(IndexError):
        next(given)


def test_giving_up_in_the_middle_is_no_fault(train):
    for _ in batches_of(replace(train, mapped=True), torch.arange(10).split(2), CPU):
        break


def test_a_mapping_stays_where_it_is_only_if_it_is_large(train, monkeypatch):
    moved = []
    monkeypatch.setattr(ImageSet, "to", lambda self, device: moved.append(device) or self)
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (200, 1000))
    placed(train, cuda)
    placed(replace(train, mapped=True), CPU)
    assert moved == [cuda, CPU]
    assert placed(replace(train, mapped=True), cuda).mapped
    assert len(moved) == 2
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 1000))
    placed(replace(train, mapped=True), cuda)
    assert len(moved) == 3
