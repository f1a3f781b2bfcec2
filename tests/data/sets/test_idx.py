"""Reading IDX: right answers from right files, DataError with an offset from all others."""

import gzip
import hashlib
import os
import struct
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.sets.idx import IdxFile, read_idx, read_idx_pair, write_idx
from tellapart.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([7, 0, 9], dtype=np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    """The format written out a second time, independent of ``write_idx``."""
    fields = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + fields + array.tobytes()


def save(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("expect", "array"),
    [
        ("images", IMAGES),
        ("images", np.arange(48, dtype=np.uint8).reshape(2, 3, 2, 4)),
        ("images", np.empty((0, 28, 28), np.uint8)),
        ("labels", LABELS),
        ("labels", np.empty(0, np.uint8)),
    ],
)
def test_reads_what_was_written(tmp_path, expect, array, compress):
    path = tmp_path / "any name"
    write_idx(path, array, compress=compress)
    file = read_idx(path, expect=expect)
    np.testing.assert_array_equal(file.array, array, strict=True)
    assert file.sha256 == hashlib.sha256(idx_bytes(array)).hexdigest()
    assert file.raw_bytes == len(idx_bytes(array))
    assert file.array.flags.writeable  # else torch warns


def test_gzip_is_told_by_its_magic_not_by_the_name(tmp_path):
    raw = tmp_path / "raw.gz"
    raw.write_bytes(idx_bytes(LABELS))
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(idx_bytes(LABELS)))
    assert read_idx(raw, expect="labels").sha256 == read_idx(packed, expect="labels").sha256


def test_gzip_of_several_members_is_one_file(tmp_path):
    content = idx_bytes(IMAGES)
    path = save(tmp_path, gzip.compress(content[:10]) + gzip.compress(content[10:]))
    np.testing.assert_array_equal(read_idx(path, expect="images").array, IMAGES)


def test_writing_is_reproducible_and_names_nothing(tmp_path):
    write_idx(tmp_path / "one", LABELS, compress=True)
    write_idx(tmp_path / "two", LABELS, compress=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert b"one" not in (tmp_path / "one").read_bytes()


@pytest.mark.parametrize("array", [IMAGES.astype(np.int64), np.zeros((2, 2), np.uint8)])
def test_writing_refuses_what_cannot_be_read_back(tmp_path, array):
    with pytest.raises(DataError, match="IDX holds uint8 with 1, 3, 4 dimensions here, got"):
        write_idx(tmp_path / "file", array)


HEADER = b"\0\0\x08\x03"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
@pytest.mark.parametrize(
    ("expect", "content", "message"),
    [
        ("images", HEADER[:3], "breaks off at offset 3, within the 4 bytes"),
        ("images", b"\x89PNG" + bytes(99), "at offset 0 expected 00 00, got 89 50"),
        ("images", b"\0\0\x0d\x03" + bytes(99), r"at offset 2 expected type code 0x08 .*got 0x0d"),
        ("images", idx_bytes(LABELS), "at offset 3 expected 3 or 4 .*got 1; .*swapped"),
        ("labels", idx_bytes(IMAGES), "at offset 3 expected 1 .*got 3; .*swapped"),
        ("images", b"\0\0\x08\x02" + bytes(99), "at offset 3 expected 3 or 4 .*got 2"),
        ("images", HEADER + bytes(5), "breaks off at offset 9, in the header"),
        ("images", HEADER + struct.pack(">3I", 1, 0, 28), "at offset 8 the height is 0"),
        ("images", idx_bytes(IMAGES)[:-1], r"breaks off at offset 39; .*\(2, 3, 4\), 40 bytes"),
        ("images", idx_bytes(IMAGES) + b"x", "goes on at offset 40"),
        ("labels", idx_bytes(LABELS)[:-1], "breaks off at offset 10"),
        ("labels", idx_bytes(LABELS) + b"x", "goes on at offset 11"),
        ("images", HEADER + b"\xff" * 12, "at offset 4 claims .* bytes; at most 8589934592"),
    ],
)
def test_refuses_a_wrong_file_with_name_offset_and_reason(tmp_path, expect, content, message, pack):
    path = save(tmp_path, pack(content))
    with pytest.raises(DataError, match=message) as error:
        read_idx(path, expect=expect)
    assert str(error.value).startswith(f"{path}: ")


def test_refuses_an_empty_file(tmp_path):
    with pytest.raises(DataError, match="breaks off at offset 0"):
        read_idx(save(tmp_path, b""), expect="labels")


@pytest.mark.parametrize("name", ["missing", "."])
def test_refuses_what_is_no_file(tmp_path, name):
    with pytest.raises(DataError, match="no such file; expected IDX labels"):
        read_idx(tmp_path / name, expect="labels")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "pipe", expect="labels")


def test_refuses_more_than_the_caller_allows(tmp_path):
    with pytest.raises(DataError, match="40 bytes; at most 39 are read"):
        read_idx(save(tmp_path, idx_bytes(IMAGES)), expect="images", max_bytes=39)


def test_a_gzip_stream_that_fails_its_crc_is_refused(tmp_path):
    packed = bytearray(gzip.compress(idx_bytes(IMAGES)))
    packed[-6] ^= 1  # the last 8 bytes are CRC and size
    with pytest.raises(DataError, match=r"gzip stream is damaged .*after offset 40 .*CRC"):
        read_idx(save(tmp_path, bytes(packed)), expect="images")


def test_a_gzip_stream_that_breaks_off_is_refused(tmp_path):
    packed = gzip.compress(idx_bytes(IMAGES))
    with pytest.raises(DataError, match="damaged or breaks off after offset"):
        read_idx(save(tmp_path, packed[:-9]), expect="images")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_a_claim_within_the_limit_takes_no_memory(tmp_path, pack):
    content = HEADER + struct.pack(">3I", 8, 2**15, 2**14) + bytes(1000)  # claims 4 GiB
    path = save(tmp_path, pack(content))
    tracemalloc.start()
    with pytest.raises(DataError, match="breaks off at offset 1016"):
        read_idx(path, expect="images")
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 2**20


def test_a_bomb_behind_the_last_byte_is_not_unpacked(tmp_path):
    path = save(tmp_path, gzip.compress(idx_bytes(LABELS) + bytes(2**28), 1))
    tracemalloc.start()
    with pytest.raises(DataError, match="goes on at offset 11"):
        read_idx(path, expect="labels")
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 2**20


def test_a_pair_must_have_one_label_per_image(tmp_path):
    write_idx(tmp_path / "images", IMAGES)
    write_idx(tmp_path / "labels", LABELS)
    with pytest.raises(DataError, match=r"images holds 2 images and .*labels 3 labels; .*same"):
        read_idx_pair(tmp_path / "images", tmp_path / "labels")
    write_idx(tmp_path / "labels", LABELS[:2])
    pair = read_idx_pair(tmp_path / "images", tmp_path / "labels")
    np.testing.assert_array_equal(pair.images.array, IMAGES)
    np.testing.assert_array_equal(pair.labels.array, LABELS[:2])


def read_bytes(content: bytes, expect: str) -> IdxFile | None:
    """The answer, or None for a DataError; anything else fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return read_idx(save(Path(folder), content), expect=expect)
        except DataError:
            return None


def assert_right(file: IdxFile | None, raw: bytes) -> None:
    if file is not None:
        assert idx_bytes(file.array) == raw
        assert file.sha256 == hashlib.sha256(raw).hexdigest()


@given(st.binary(max_size=64), st.sampled_from(["images", "labels"]), st.booleans())
def test_any_bytes_give_data_error_or_the_right_answer(content, expect, packed):
    if packed:
        assert_right(read_bytes(gzip.compress(content), expect), content)
    elif not content.startswith(b"\x1f\x8b"):
        assert_right(read_bytes(content, expect), content)
    assert read_bytes(b"\x1f\x8b" + content, expect) is None


@given(st.data(), st.booleans())
@settings(max_examples=200)
def test_a_mutated_file_gives_data_error_or_the_right_answer(data, packed):
    raw = idx_bytes(IMAGES)
    content = bytearray(gzip.compress(raw, mtime=0) if packed else raw)
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(0, 255))
    # Behind gzip's CRC only the original can come out; a raw file has nothing to be checked by.
    if not packed and content[:2] == b"\x1f\x8b":
        return
    assert_right(read_bytes(bytes(content), "images"), raw if packed else bytes(content))


@pytest.mark.parametrize("packed", [False, True])
def test_truncated_at_any_byte_is_refused(tmp_path, packed):
    content = gzip.compress(idx_bytes(IMAGES)) if packed else idx_bytes(IMAGES)
    for length in range(len(content)):
        with pytest.raises(DataError, match=r"breaks off|offset"):
            read_idx(save(tmp_path, content[:length]), expect="images")


def test_full_mnist_is_read_and_digested_in_one_pass():
    if not os.environ.get("TELLAPART_DATA"):
        pytest.skip("needs TELLAPART_DATA with mnist/")
    path = Path(os.environ["TELLAPART_DATA"], "mnist", "train-images-idx3-ubyte.gz")
    file = read_idx(path, expect="images")
    assert file.array.shape == (60_000, 28, 28)
    assert file.sha256.startswith("ba891046e6505d7a")
