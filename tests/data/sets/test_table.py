"""Tables of images: what they may look like, and every way in which they may be wrong."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.sets.sources import open_source
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


def test_a_column_of_groups_is_read_and_written(table):
    listing = list_table(table("path,label,Group\na.jpg,x, 7 \nb.jpg,x,\nc.jpg,y,7\n"))
    assert [file.group for file in listing.files] == ["7", "", "7"]
    assert (listing.grouped_by, listing.notes) == ("the column group", ())
    rows = [
        ("a.jpg", "x", "train", " 7"),
        ("b.jpg", "x", "test", ""),
        ("c.jpg", "y", "train", "é,"),
    ]
    listing = list_table(table(table_text(rows)))
    assert [(f.path.name, f.class_name, f.split, f.group) for f in listing.files] == rows


def test_an_empty_column_of_groups_makes_no_groups_and_that_is_noted(table):
    listing = list_table(table("path,label,group\na.jpg,x,\nb.jpg,y,\n"))
    assert listing.grouped_by == ""
    assert "group" in listing.notes[0]


def test_a_missing_file_is_left_out_and_a_repeated_row_counts_once(table):
    listing = list_table(table("path,label\na.jpg,x\nnone.jpg,x\na.jpg,x\nb.jpg,y\n"))
    assert [file.path.name for file in listing.files] == ["a.jpg", "b.jpg"]
    assert [(i.path.name, i.kind, i.reason) for i in listing.left_out] == [
        ("none.jpg", "unreadable", "no such file (line 3)")
    ]
    assert listing.notes == ("1 rows repeat an earlier one and count once",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["path and label", "nothing"]),
        ("id,label\na.jpg,x\n", ["'id', 'label'", "path,label"]),
        ("a.jpg,cat\nb.jpg,dog\n", ["'a.jpg', 'cat'", "path,label"]),
        ("path,label\n", ["no row below"]),
        ("path,label\n,x\n", ["line 2", "path", "column 1"]),
        ("path,label\na.jpg\n", ["line 2", "label", "column 2"]),
        ("path,label\na.jpg,  \n", ["line 2", "label", "column 2"]),
        ("path,label,split\na.jpg,x,holdout\n", ["line 2, column 3", "'holdout'", "test"]),
        ("path,label,split\na.jpg,x,test\n", ["train"]),
        (
            "path,label,group\na.jpg,x,7\na.jpg,x,8\n",
            ["line 3", "'8'", "line 2", "'7'", "one group"],
        ),
        ("path,label,group,group\na.jpg,x,7,7\n", ["line 1", "group", "columns 3 and 4"]),
        ("path,label\na.jpg,x\na.jpg,y\n", ["line 3", "'y'", "line 2", "'x'", "a.jpg"]),
        ("path,label\nnone.jpg,x\n", ["none.jpg", "folder of the table"]),
        ('path,label\n"a.jpg,x\n', ["line 2"]),
        ("path,label\na.jpg,x\nb.jpg,x,striped\n", ["line 3", "3 cells", "2 columns"]),
        ("sep=;\npath;label\na.jpg;x;y\n", ["line 3", "3 cells"]),
        ("path,label,Label\na.jpg,x,y\n", ["label", "columns 2 and 3"]),
        ("file,image,label\na.jpg,b.jpg,x\n", ["'file' and 'image'", "'path'"]),
        ("path,class,target\na.jpg,b.jpg,x\n", ["'class' and 'target'", "'label'"]),
        ("path,label\nC:\\data\\a.jpg,x\n", ["line 2, column 1", "Windows", "folder of the table"]),
        ("path,label\nhttps://x.org/a.jpg,x\n", ["line 2, column 1", "download"]),
    ],
)  # fmt: skip
def test_a_table_that_is_wrong_is_refused_with_its_line(table, text, words):
    with pytest.raises(DataError) as caught:
        list_table(table(text))
    for word in ("table.csv", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\npath;label\nb.jpg;dog\na.jpg;cat\n",
        '"sep=|"\r\npath|label\r\nb.jpg|dog\r\na.jpg|cat\r\n',
        "path, label, note\nb.jpg , dog,\na.jpg, cat, x\n",
        '"path", "label"\n"b.jpg", "dog"\n"a.jpg", "cat"\n',
        "path,label,,\nb.jpg,dog,,\na.jpg,cat,,,,\n",
        "path,label\n.\\b.jpg,dog\nsub\\..\\a.jpg,cat\n",
    ],
)
def test_what_is_meant_clearly_is_read(table, tmp_path, text):
    (tmp_path / "sub").mkdir()
    assert listed(table(text)) == [("a.jpg", "cat", None), ("b.jpg", "dog", None)] or listed(
        table(text)
    ) == [("b.jpg", "dog", None), ("a.jpg", "cat", None)]


def test_columns_by_other_names_are_reported(table):
    listing = list_table(
        table("Image Path,Category,subset,set\na.jpg,cat,train,x\nb.jpg,dog,test,y\n")
    )
    assert [(f.class_name, f.split) for f in listing.files] == [("cat", "train"), ("dog", "test")]
    for name, column in (("Image Path", "path"), ("Category", "label"), ("subset", "split")):
        assert any(name in note and column in note for note in listing.notes)
    # A column that has its proper name needs no other; what is not read is named.
    listing = list_table(table(",path,label,class,file\n0,a.jpg,cat,1,x\n"))
    assert listing.files[0].class_name == "cat"
    [note] = listing.notes
    assert "class, file" in note


def test_absolute_paths_and_addresses_of_files(table, tmp_path):
    (tmp_path / "a b.jpg").touch()
    address = (tmp_path / "a b.jpg").as_uri()
    text = f"path,label\n{tmp_path / 'a.jpg'},x\n{address},y\n"
    assert sorted(listed(table(text))) == [("a b.jpg", "y", None), ("a.jpg", "x", None)]


@pytest.mark.parametrize("name", [" lead", "trail ", "  ", 'a "b" ', "\ttab", "\u3000wide", "x,y "])
def test_names_with_blanks_at_their_ends_are_read_back(table, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.jpg").touch()
    rows = [(f"{tmp_path}/{name}/a.jpg", name, "train"), ("b.jpg", "plain", "train")]
    path = table(table_text(rows))
    assert {(str(f.path), f.class_name) for f in list_table(path).files} == {
        (rows[0][0], name), (str(tmp_path / "b.jpg"), "plain")
    }  # fmt: skip


@pytest.mark.parametrize("suffix", [".tsv", ".TXT", ".csv"])
def test_tables_by_their_ending(table, suffix):
    path = table("path\tlabel\na.jpg\tcat\nb.jpg\tdog\n")
    named = path.rename(path.with_suffix(suffix))
    assert open_source(named).train_counts == {"cat": 1, "dog": 1}


def test_encodings(table, tmp_path):
    text = "path,label\na.jpg,Käfer\nb.jpg,dog\n"
    for encoding in ("utf-16", "utf-8-sig", "utf-8"):
        assert [label for _, label, _ in listed(table(text, encoding))] == ["Käfer", "dog"]
    with pytest.raises(DataError, match=r"line 2: is not UTF-8.*save the table as UTF-8"):
        list_table(table(text, "latin-1"))
    with pytest.raises(DataError, match=r"cannot be read: No such file"):
        list_table(tmp_path / "none.csv")


@given(
    content=st.binary(max_size=200) | st.text(',;"\n\rapthlbe.jg\0', max_size=60).map(str.encode)
)
def test_any_bytes_are_a_listing_or_a_data_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        list_table(path)


def test_utf_16_without_a_mark_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "table.csv").write_bytes("path,label\na.jpg,cat\n".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"UTF-16.*UTF-8"):
        list_table(tmp_path / "table.csv")


def test_further_columns_are_kept_for_each_image(table):
    listing = list_table(table("path,label,site,Unnamed: 3\na.jpg,cat,north,1\nb.jpg,dog,,2\n"))
    assert [dict(file.columns) for file in listing.files] == [{"site": "north"}, {"site": ""}]
    # What they hold does not make two rows of one image contradict one another.
    listing = list_table(table("path,label,site\na.jpg,cat,north\na.jpg,cat,south\nb.jpg,dog,x\n"))
    assert listing.files[0].columns["site"] == "north"
