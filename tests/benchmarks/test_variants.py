import re

import pytest

import losses
from protocol import read_results
from variants import chinese, english, table


def numbers(text):
    return re.findall(r"\d+\.\d+", text)


def test_both_languages_have_the_same_rows_and_numbers():
    results = read_results("losses")
    ours, theirs = (
        table(results, wording) for wording in (english("loss"), chinese("损失", {"a": "b"}))
    )
    assert len(ours.splitlines()) == len(theirs.splitlines()) == len(losses.VARIANTS) + 4
    assert numbers(ours) == numbers(theirs)


def test_every_variant_has_a_name_in_chinese():
    assert losses.CHINESE_NAMES.keys() == losses.VARIANTS.keys()


@pytest.mark.parametrize("document", losses.DOCUMENTS, ids=lambda path: path.name)
def test_the_pages_show_what_is_stored(document):
    assert table(read_results("losses"), losses.DOCUMENTS[document]) in document.read_text("utf-8")
