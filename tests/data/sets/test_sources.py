"""Which source takes a path, and what is refused because none does."""

import pytest

from tellapart.data.sets.sources import load_data_set
from tellapart.errors import DataError


@pytest.mark.parametrize("source", ["mnits", "./mnist", "x" * 5000, "a\0b"])
def test_an_unknown_source_is_refused(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"mnits.*did you mean 'mnist'|no folder|looked up"):
        load_data_set(source)


def test_a_file_as_source_is_refused(tmp_path):
    (tmp_path / "digits.dat").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"digits\.dat is a file of another kind; give a folder, a \.csv"
    ):
        load_data_set(tmp_path / "digits.dat")
