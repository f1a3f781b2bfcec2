"""Every text exists in both languages, and so does every text that a script asks for."""

import re
from importlib.resources import files

import pytest

from tellapart.illustration.texts import TEXTS

SCRIPTS = [
    entry for entry in files("tellapart.illustration").iterdir() if entry.name.endswith(".js")
]


@pytest.mark.parametrize("name", TEXTS)
def test_both_languages_are_there_with_the_same_gaps(name):
    english, chinese = TEXTS[name]["en"], TEXTS[name]["zh"]
    assert english
    assert chinese
    assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese))


def test_every_text_that_a_script_asks_for_exists():
    assert len(SCRIPTS) > 5
    for script in SCRIPTS:
        code = script.read_text(encoding="utf-8")
        assert "</script" not in code
        for name in re.findall(r'\btranslate\("([\w-]+)"', code):
            assert name in TEXTS, f"{script.name} asks for {name}"
