"""A pattern in the paths names each file's group, or is refused with what to do."""

from pathlib import Path

import pytest

from tellapart.data.images.listing import ImageFile, Listing
from tellapart.data.sets.grouping import group_files
from tellapart.errors import ConfigError

ROOT = Path("/data/cells")
PATHS = ("cat/patient1_a.png", "cat/patient2_a.png", "dog/patient1_b.png", "dog/patient10_a.png")


def listing(paths=PATHS, grouped_by=""):
    files = tuple(ImageFile(ROOT / path, path[:3], None) for path in paths)
    return Listing("cells", ROOT, files, grouped_by=grouped_by)


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"patient(\d+)_", ["1", "2", "1", "10"]),
        (r"patient\d+", ["patient1", "patient2", "patient1", "patient10"]),
        (r"^(cat|dog)/(patient)", ["cat", "cat", "dog", "dog"]),
        (r"(?:cat|dog)/(.*)_", ["patient1", "patient2", "patient1", "patient10"]),
    ],
)
def test_the_first_group_or_the_whole_match_is_the_name(pattern, groups):
    grouped = group_files(listing(), pattern)
    assert [file.group for file in grouped.files] == groups
    assert pattern in grouped.grouped_by
    assert [file.path for file in grouped.files] == [file.path for file in listing().files]


def test_without_a_pattern_nothing_changes():
    made = listing()
    assert group_files(made, "") is made


def test_the_same_accented_name_is_one_group():
    made = listing(("cat/jos\N{LATIN SMALL LETTER E WITH ACUTE}-1.png", "cat/jose\u0301-2.png"))
    assert len({file.group for file in group_files(made, r"/(\w+\W?)-").files}) == 1


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("patient(", ["data.group_by", "'patient('", "regular expression"]),
        (r"case(\d+)", ["data.group_by", "4 paths", *PATHS[:2]]),
        (r"/patient(\d)_", ["1 of the 4", PATHS[3], "table"]),
        (r"_a|dog(x)?", ["4 paths"]),  # a group that takes no part in the match names nothing
    ],
)
def test_what_does_not_name_the_group_of_every_file_is_refused(pattern, words):
    with pytest.raises(ConfigError) as raised:
        group_files(listing(), pattern)
    assert not [word for word in words if word not in str(raised.value)]


def test_only_the_first_few_of_many_are_named():
    made = listing((*PATHS, *(f"dog/{number}.png" for number in range(9))))
    with pytest.raises(ConfigError, match=r"9 of the 13 paths.*dog/0.png.*dog/2.png and 6 more"):
        group_files(made, r"patient(\d+)_")


def test_groups_that_are_given_twice_are_refused():
    with pytest.raises(ConfigError, match=r"the column group and by data\.group_by"):
        group_files(listing(grouped_by="the column group"), r"patient(\d+)_")
