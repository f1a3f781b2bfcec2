"""The examples are true: those in docstrings and on pages run, and commands on pages parse.

On a page, every ```` ```python ```` block is run: the blocks of one page in order, in one namespace
and one folder, in which ``runs/digits`` is a trained run and ``scans/`` holds pictures. In every
other block, lines that start with ``tellapart`` are parsed, and their recipe and ``--set`` checked.
"""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
import torch
from cyclopts import CycloptsError
from PIL import Image

import tellapart
from tellapart.cli.commands import app
from tellapart.config import load_recipe
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError

ROOT = Path(__file__).parents[1]
PAGES = [
    page.relative_to(ROOT).as_posix()
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tellapart.__path__, "tellapart.")
    if module.name != "tellapart.__main__"
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language and its lines."""

    page: str
    line: int
    language: str
    text: str


def blocks_of(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def commands_of(text: str) -> Iterator[str]:
    """The ``tellapart`` commands of a block, without prompts and line breaks.

    Of what stands in brackets, as in ``[--kind max | average]``, the first choice is taken.
    """
    for line in text.replace("\\\n", " ").splitlines():
        command = line.removeprefix("$ ")
        if command.startswith("tellapart ") or command == "tellapart":
            yield re.sub(r"\[([^|\]]*)[^\]]*\]", r"\1", command)


# Its commands need the changes that it describes: tests/test_extending.py makes them.
CHANGES_THE_PACKAGE = "docs/extending.md"
COMMANDS = [
    pytest.param(command, id=f"{block.page}:{block.line} {command}")
    for page in PAGES
    if page != CHANGES_THE_PACKAGE
    for block in blocks_of(page)
    if block.language != "python"
    for command in commands_of(block.text)
]
CODE = {
    page: code
    for page in PAGES
    if (code := [block for block in blocks_of(page) if block.language == "python"])
}
TRANSLATIONS = [page for page in CODE if page.endswith(".zh-CN.md")]


@pytest.fixture
def default_dtype() -> Iterator[None]:
    """An example may change torch's default type, for itself alone."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def environment() -> Iterator[None]:
    """An example may set variables of the environment, for itself alone."""
    with mock.patch.dict(os.environ):
        yield


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("tellapart"):
            raise
        pytest.skip(f"{error.name} is not installed")
    assert doctest.testmod(module, extraglobs={"torch": torch}).failed == 0


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder(exclude_empty=True)
    with_examples = [
        name
        for name in MODULES
        if any(test.examples for test in finder.find(importlib.import_module(name)))
    ]
    assert len(with_examples) > 10
    assert {"README.md", "docs/how_convolution_works.md"} <= CODE.keys()
    assert len(COMMANDS) > 20


@pytest.fixture
def folder_of_a_page(own_place, default_dtype, environment, trained, tmp_path: Path) -> Path:
    """What an example on a page can count on: a trained run and a few pictures."""
    shutil.copytree(trained.run, tmp_path / "runs" / "digits")
    digits = load_data_set("mnist-sample").split("test").images[::300, 0]
    (tmp_path / "scans").mkdir()
    for index, digit in enumerate(digits):
        Image.fromarray(digit.numpy()).save(tmp_path / "scans" / f"{index}.png")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in CODE if page not in TRANSLATIONS])
def test_the_code_on_a_page_runs(folder_of_a_page: Path, page: str):
    names: dict[str, object] = {"__name__": "__main__"}
    for block in CODE[page]:
        if ">>> " in block.text:
            parsed = doctest.DocTestParser().get_doctest(
                block.text, names, page, str(ROOT / page), block.line
            )
            assert doctest.DocTestRunner().run(parsed, clear_globs=False).failed == 0
            names = parsed.globs
        else:
            # Blank lines before the code, so that a traceback names the line of the page.
            source = "\n" * block.line + block.text
            exec(compile(source, str(ROOT / page), "exec"), names)


@pytest.mark.parametrize("page", TRANSLATIONS)
def test_a_translation_has_the_code_of_its_original(page: str):
    original = page.replace(".zh-CN", "")
    ours, theirs = ([_without_comments(block) for block in CODE[p]] for p in (page, original))
    assert ours == theirs


def _without_comments(block: Block) -> str:
    return re.sub(r"\s*#.*", "", block.text)


def check_command(command: str) -> None:
    """Parse a command with the real parser, and check its recipe and its settings."""
    tokens = shlex.split(command, comments=True)[1:]
    _, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    recipe = bound.arguments.get("recipe") or "standard"
    settings = bound.arguments.get("settings") or ()
    if not str(recipe).endswith(".toml"):
        load_recipe(recipe).with_settings(list(settings))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_a_page_is_understood(command: str):
    check_command(command)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("tellapart trian", CycloptsError),
        ("tellapart train --recipes quick", CycloptsError),
        ("tellapart train --recipe qick", ConfigError),
        ("tellapart train mnist --set epoch=3", ConfigError),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command: str, error: type[Exception]):
    with pytest.raises(error):
        check_command(command)


def test_commands_are_found_behind_prompts_and_over_line_breaks():
    text = "$ tellapart train \\\n  mnist\noutput\ntellapart: no\ntellapart predict a [--json | -q]"
    found = [shlex.split(command, comments=True)[1:] for command in commands_of(text)]
    assert found == [["train", "mnist"], ["predict", "a", "--json"]]
