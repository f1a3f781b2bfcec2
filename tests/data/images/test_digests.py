"""Files are read once and again only where they may have changed."""

import hashlib
import os

import pytest

from tellapart.data.images import digests
from tellapart.data.images.digests import digest_files, num_cores


@pytest.fixture
def files(tmp_path):
    paths = []
    for name in ("a", "b\nline", "ü"):
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * 3)
        os.utime(path, (1_000_000, 1_000_000))
        paths.append(path)
    return paths


@pytest.fixture
def read(monkeypatch):
    """The names of files that were opened."""
    opened = []
    original = digests._digest
    monkeypatch.setattr(digests, "_digest", lambda p: (opened.append(p.name), original(p))[1])
    return opened


def test_each_file_is_read_once(files, read):
    found, failed = digest_files(files[0].parent, files)
    assert found == {path: hashlib.sha256(path.read_bytes()).digest() for path in files}
    assert failed == {}
    assert len(read) == 3
    assert digest_files(files[0].parent, files)[0] == found
    assert len(read) == 3


def test_a_changed_a_new_and_a_removed_file(files, read, tmp_path):
    root = files[0].parent
    digest_files(root, files)
    files[0].write_bytes(b"other")
    os.utime(files[0], (1_000_001, 1_000_001))
    files[1].unlink()
    found, failed = digest_files(root, files)
    assert read[3:] == ["a"]
    assert found[files[0]] == hashlib.sha256(b"other").digest()
    assert failed == {files[1]: "no such file, or not to be looked up"}
    assert digest_files(root, [files[0], files[2]]) == ({f: found[f] for f in found}, {})
    assert len(read) == 4


def test_a_file_changed_a_moment_ago_is_read_again(files, read):
    os.utime(files[0])
    digest_files(files[0].parent, files)
    digest_files(files[0].parent, files)
    assert read[3:] == ["a"]


@pytest.mark.parametrize("damage", [b"", b"hello", b"PK\x03\x04junk"])
def test_a_damaged_list_costs_reading_and_nothing_else(files, read, damage, own_cache):
    found, _ = digest_files(files[0].parent, files)
    (index,) = (own_cache / "digests").iterdir()
    index.write_bytes(damage)
    assert digest_files(files[0].parent, files)[0] == found
    assert len(read) == 6


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path):
    (tmp_path / "folder").mkdir()
    _, failed = digest_files(tmp_path, [tmp_path / "folder"])
    assert failed == {tmp_path / "folder": "cannot be read: Is a directory"}


@pytest.mark.parametrize("num_bytes", [0, 1, 2**16, 2**17 + 1])
def test_all_of_a_file_counts(tmp_path, num_bytes):
    content = os.urandom(num_bytes)
    (tmp_path / "file").write_bytes(content)
    found, _ = digest_files(tmp_path, [tmp_path / "file"])
    assert found[tmp_path / "file"] == hashlib.sha256(content).digest()


def test_progress_counts_what_is_read(files):
    seen = []
    digest_files(files[0].parent, files, lambda done, total: seen.append((done, total)))
    digest_files(files[0].parent, files, lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]


def test_there_is_a_core():
    assert num_cores() >= 1
