"""Image files: found by what a person names on a command line."""

import pytest

from tellapart.data.images.files import find_images
from tellapart.errors import DataError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in (
        "b.png", "a.JPG", "notes.txt", ".hidden.png", "__MACOSX/b.png", ".git/c.png",
        "deep/er/z.webp", "deep/y.tiff", "deep/.DS_Store", "[1].png", "only text/readme.md",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["."], ["[1].png", "a.JPG", "b.png", "deep/y.tiff", "deep/er/z.webp"]),
        (["deep"], ["deep/y.tiff", "deep/er/z.webp"]),
        (["notes.txt", ".hidden.png"], ["notes.txt", ".hidden.png"]),
        (["b.png", "deep", "b.png", "."], ["b.png", "deep/y.tiff", "deep/er/z.webp", "[1].png",
                                            "a.JPG"]),
        (["*.png"], ["[1].png", "b.png"]),
        (["[ab].*"], ["a.JPG", "b.png"]),
        (["**/*.webp"], ["deep/er/z.webp"]),
        (["d*"], ["deep/y.tiff", "deep/er/z.webp"]),
        (["[1].png"], ["[1].png"]),
    ],
)  # fmt: skip
def test_finds_files_folders_and_patterns(tree, arguments, expected):
    assert [path.as_posix() for path in find_images(arguments)] == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no image is given; give files"),
        (["b.png", "missing.png"], "missing.png: no such file or folder"),
        (["*.bmp"], r"\*\.bmp: the pattern matches no image"),
        (["only text"], r"only text holds 1 file, none of them an image by its name \(\.md 1\)"),
        (["only*"], "the pattern matches no image"),
        (["x" * 5000], "cannot be looked up: File name too long"),
    ],
)
def test_an_argument_that_matches_nothing_is_refused(tree, arguments, message):
    with pytest.raises(DataError, match=message):
        find_images(arguments)
