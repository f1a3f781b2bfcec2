"""Mapped tensors may be larger than memory, and writing to them leaves the file alone."""

import mmap
import os
import sys

import pytest
import torch

from tellapart.data.images import mapping
from tellapart.data.images.mapping import announce_rows, mapped_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much memory there is")
def test_a_file_larger_than_memory_can_be_mapped(tmp_path):
    num_bytes = 2 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    path = tmp_path / "pixels"
    path.touch()
    os.truncate(path, num_bytes)  # sparse: it takes no room on the disk
    mapped = mapped_bytes(path, num_bytes)
    assert mapped.shape == (num_bytes,)
    assert mapped[-1] == 0


def test_what_is_written_to_a_mapping_stays_out_of_the_file(tmp_path):
    path = tmp_path / "pixels"
    path.write_bytes(bytes(range(100)))
    mapped = mapped_bytes(path, 90)
    assert mapped.tolist() == list(range(90))
    mapped.zero_()
    assert path.read_bytes() == bytes(range(100))
    assert mapped_bytes(path, 90).tolist() == list(range(90))


def test_announced_rows_are_what_they_were(tmp_path):
    path = tmp_path / "pixels"
    path.write_bytes(os.urandom(50 * 3000))
    rows = mapped_bytes(path, 50 * 3000).view(50, 3, 1000)
    before = rows.clone()
    announce_rows(rows, torch.tensor([49, 0, 7]))
    announce_rows(rows[10:20], torch.tensor([9]))
    announce_rows(rows[:0], torch.tensor([], dtype=torch.int64))
    assert torch.equal(rows, before)


def test_what_is_announced_covers_the_rows_and_begins_on_pages(tmp_path, monkeypatch):
    path = tmp_path / "pixels"
    path.write_bytes(bytes(50 * 3000))
    rows = mapped_bytes(path, 50 * 3000).view(50, 3, 1000)
    asked = []
    monkeypatch.setattr(mapping, "_advise", lambda: lambda *call: asked.append(call))
    announce_rows(rows, torch.tensor([49, 0, 7]))
    for row, (begin, length, _) in zip([49, 0, 7], asked, strict=True):
        first = rows[row].data_ptr()
        assert begin.value % mmap.PAGESIZE == 0
        assert begin.value <= first < begin.value + mmap.PAGESIZE
        assert begin.value + length.value == first + 3000
