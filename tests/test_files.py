"""A file is written whole or not at all, and Ctrl-C waits until it is."""

import errno
import os
import signal
import stat
import threading

import pytest

from tellapart.errors import RunError
from tellapart.files import make_folder, uninterrupted, write_whole


def full_disk(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_text_and_bytes_are_written(tmp_path):
    write_whole(tmp_path / "text", "数字\n")
    write_whole(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == "数字\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["bytes", "text"]


def test_a_new_file_replaces_the_old_one_whole(tmp_path):
    path = tmp_path / "file"
    write_whole(path, "a long old content")
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file"]


def test_until_the_rename_a_reader_finds_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")
    seen = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (seen.append(path.read_text()), real(fd)))
    write_whole(path, "new")
    assert seen[0] == "old"  # synced before it is renamed
    assert path.read_text() == "new"


@pytest.mark.parametrize("place", ["fsync", "chmod", "fdopen"])
def test_a_full_disk_leaves_the_old_file_and_no_part(tmp_path, monkeypatch, place):
    path = tmp_path / "file"
    write_whole(path, "old")
    if place == "chmod":
        monkeypatch.setattr("pathlib.Path.chmod", full_disk)
    else:
        monkeypatch.setattr(os, place, full_disk)
    with pytest.raises(RunError) as caught:
        write_whole(path, "new")
    monkeypatch.undo()
    message = str(caught.value)
    for part in (str(path), "No space left on device", "untouched", "choose another folder"):
        assert part in message
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_rename_that_fails_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")
    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(RunError, match="untouched"):
        write_whole(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path, monkeypatch):
    path = tmp_path / "file"
    real = os.fsync

    def no_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", no_folders)
    write_whole(path, "new")
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX only")
def test_file_and_folder_are_both_synced_the_file_first(tmp_path, monkeypatch):
    kinds = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (kinds.append(stat.S_ISDIR(os.fstat(fd).st_mode)), real(fd))
    )
    write_whole(tmp_path / "file", "new")
    assert kinds == [False, True]


def test_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(RunError, match=r"cannot write .*: No such file or directory"):
        write_whole(tmp_path / "no" / "file", "x")


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="nobody forbids the superuser to write"
)
def test_a_folder_without_permission_keeps_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_whole(path, "old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="Permission denied"):
            write_whole(path, "new")
    finally:
        tmp_path.chmod(0o700)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_refused_aside_file_keeps_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")

    def refuse(*arguments, **named):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(RunError, match="Permission denied"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_files_have_the_mode_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", "x")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_folders_are_made_with_those_above(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot make the folder .*file"):
        make_folder(tmp_path / "file" / "b")


def test_ctrl_c_waits_for_the_end_of_the_block():
    done = []

    def work():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [True]


def test_without_ctrl_c_nothing_is_raised_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_inside_puts_the_handler_back_too():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RunError), uninterrupted():
        raise RunError("x")
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_just_run_the_block():
    ran = []

    def work():
        with uninterrupted():
            ran.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [True]
