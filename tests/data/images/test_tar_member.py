"""Members of a tar archive: read where they lie, and refused where the archive is not whole."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.images.decoding import decode
from tellapart.data.images.digests import digest_files
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.images.tar_member import TarMember, find_member, tar_members
from tellapart.data.preparation import Frame
from tellapart.errors import DataError


def write_tar(path, contents):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in contents:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def png(colour):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def test_members_are_read_in_any_order(tmp_path):
    archive = write_tar(tmp_path / "a.tar", [("z/2", b"second"), ("./a/1", b"1"), ("none", b"")])
    members = tar_members(archive)
    assert [member.member for member in members] == ["z/2", "a/1", "none"]
    for number in (1, 0, 2):
        with members[number].open("rb") as file:
            assert file.read() == (b"second", b"1", b"")[number]
    assert sorted([members[2], members[0], members[1]]) == list(members)
    assert members[1].name == "1"
    assert Path(members[1]) == archive / "a" / "1"
    assert find_member(Path(members[1])) == members[1]
    assert find_member(archive / "a" / "2") is None
    assert find_member(tmp_path / "a" / "1") is None


def test_a_member_is_decoded_and_digested_as_a_file_is(tmp_path):
    loose = tmp_path / "red.png"
    loose.write_bytes(png("red"))
    (member,) = tar_members(write_tar(tmp_path / "a.tar", [("red.png", png("red"))]))
    with quiet_pillow():
        assert (decode(member, Frame(3, 8, 8)).pixels == decode(loose, Frame(3, 8, 8)).pixels).all()
    digests, failed = digest_files(tmp_path, [member, loose])
    assert not failed
    assert digests[member] == digests[loose]


def test_an_archive_that_became_shorter_is_an_error_and_not_half_an_image(tmp_path):
    archive = write_tar(tmp_path / "a.tar", [("a", b"x" * 5000)])
    (member,) = tar_members(archive)
    os.truncate(archive, 1000)
    with pytest.raises(OSError, match="ends in the middle"):
        member.open()
    assert "cannot be read" in digest_files(tmp_path, [member])[1][member]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (gzip.compress, "compressed.*unpack"),
        (lambda content: content[:700], "a.tar.*(middle|damaged)"),
        (lambda _: b"<html>" * 200, "no tar archive"),
    ],
)
def test_what_is_no_whole_plain_tar_is_refused(tmp_path, change, words):
    archive = write_tar(tmp_path / "a.tar", [("a.png", png("red") * 9)])
    archive.write_bytes(change(archive.read_bytes()))
    with pytest.raises(DataError, match=words):
        tar_members(archive)


def test_an_archive_that_changed_is_indexed_again(tmp_path):
    archive = write_tar(tmp_path / "a.tar", [("a", b"1")])
    assert [m.member for m in tar_members(archive)] == ["a"]
    write_tar(archive, [("b", b"1"), ("c", b"2" * 9999)])
    assert [m.member for m in tar_members(archive)] == ["b", "c"]


def test_members_are_values(tmp_path):
    one = TarMember(tmp_path / "a.tar", "x", 512, 3)
    assert one == TarMember(tmp_path / "a.tar", "x", 512, 3)
    assert len({one, TarMember(tmp_path / "a.tar", "x", 512, 3)}) == 1
    assert one != TarMember(tmp_path / "b.tar", "x", 512, 3)
