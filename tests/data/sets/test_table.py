"""Tables of pictures: what they may look like, and every way in which they may be wrong."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.sets.table import list_table, table_text
from tellapart.errors import DataError


@pytest.fixture
def table(tmp_path):
    for name in "abcd":
        (tmp_path / f"{name}.jpg").touch()

    def write(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def listed(path):
    return [(f.path.name, f.class_name, f.split) for f in list_table(path).files]


@pytest.mark.parametrize(
    "text",
    [
        "path,label\nb.jpg,dog\na.jpg,cat\n",
        "\N{BYTE ORDER MARK}Label;id;Path\r\ndog;1;b.jpg\r\ncat;2;a.jpg\r\n\r\n",
        "path\tlabel\na.jpg\tcat\n./b.jpg\t dog \n",
    ],
)
def test_the_ways_in_which_tables_are_written(table, text):
    assert listed(table(text)) == [("a.jpg", "cat", None), ("b.jpg", "dog", None)]


def test_splits_and_a_text_that_is_read_back(table):
    rows = [
        ("a.jpg", "cat, big", "train"),
        ("b.jpg", 'the "dog"', "test"),
        ("c.jpg", "x", "validation"),
    ]
    assert listed(table(table_text(rows))) == rows
    assert listed(table("path,label,split\na.jpg,x,Train\nb.jpg,x,VAL\n")) == [
        ("a.jpg", "x", "train"), ("b.jpg", "x", "validation")
    ]  # fmt: skip


def test_a_missing_file_is_left_out_and_a_repeated_row_counts_once(table):
    listing = list_table(table("path,label\na.jpg,x\nnone.jpg,x\na.jpg,x\nb.jpg,y\n"))
    assert [file.path.name for file in listing.files] == ["a.jpg", "b.jpg"]
    assert [(i.path.name, i.kind, i.reason) for i in listing.left_out] == [
        ("none.jpg", "unreadable", "no such file (line 3)")
    ]
    assert listing.notes == ("1 rows repeat an earlier one and count once",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name the columns path and label.* it names nothing"),
        ("file,label\na.jpg,x\n", "it names file, label"),
        ("path,label\n", "has no row below its first line"),
        ("path,label\n,x\n", "line 2 has no path"),
        ("path,label\na.jpg\n", "line 2 has no label"),
        (
            "path,label,split\na.jpg,x,holdout\n",
            "line 2: split must be train, validation or test, ",
        ),
        ("path,label,split\na.jpg,x,test\n", "no picture is in the train split"),
        (
            "path,label\na.jpg,x\na.jpg,y\n",
            r"line 3 gives .*a.jpg as 'y' in no split, line 2 as 'x'",
        ),
        (
            "path,label\nnone.jpg,x\n",
            "none of the 1 files that it names exists, not even .*none.jpg",
        ),
        ('path,label\n"a.jpg,x\n', "line 2: unexpected end of data; mend the table"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_line(table, text, message):
    with pytest.raises(DataError, match=message):
        list_table(table(text))


def test_another_encoding_and_no_file(table, tmp_path):
    with pytest.raises(DataError, match="is not UTF-8 text"):
        list_table(table("path,label\nä.jpg,x\n", "latin-1"))
    with pytest.raises(DataError, match="cannot be read: No such file"):
        list_table(tmp_path / "none.csv")


@given(
    content=st.binary(max_size=200) | st.text(',;"\n\rapthlbe.jg\0', max_size=60).map(str.encode)
)
def test_any_bytes_are_a_listing_or_a_data_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        list_table(path)
