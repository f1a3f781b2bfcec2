"""The names that people give to splits: ``train``, ``training_set``, ``val2017``, ``测试集``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_WORDS = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
# Words without a meaning beside or after such a word: training_set, testImages.
_FILLERS = (
    *("data", "dataset", "dir", "directory", "files", "folder", "image", "images", "img", "imgs"),
    *("part", "photos", "pics", "pictures", "sample", "samples", "set", "split"),
)
_GLUED = re.compile(f"({'|'.join(sorted(_WORDS, key=len, reverse=True))})({'|'.join(_FILLERS)})?")
# In these no blanks stand between words.
_CHARACTERS = {
    "训练": "train", "訓練": "train", "学習": "train",
    "验证": "validation", "驗證": "validation", "校验": "validation", "検証": "validation",
    "测试": "test", "測試": "test", "テスト": "test",
}  # fmt: skip


def split_named(name: str) -> str | None:
    """Return the split that a folder or cell called ``name`` means, in any case; None if none."""
    words, splits = _words(name)
    return next(iter(splits)) if len(splits) == 1 and not words else None


def splits_of_siblings(names: Iterable[str]) -> dict[str, str]:
    """The split that each of several folders, or files, beside one another stands for.

    Beside those that `split_named` knows, ``seg_train`` and ``seg_test`` are splits: names of
    different splits that agree in all other words. One such name alone may be a class, as
    ``steam train`` is.
    """
    found: dict[str, str] = {}
    families: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words, splits = _words(name)
        if len(splits) == 1:
            (split,) = splits
            if words:
                families.setdefault(words, {})[name] = split
            else:
                found[name] = split
    for family in families.values():
        if len(set(family.values())) > 1:
            found |= family
    return found


def _words(name: str) -> tuple[tuple[str, ...], set[str]]:
    """The words of a name that mean no split, and the splits that the others mean."""
    text = unicodedata.normalize("NFKC", name.strip())
    splits = {split for characters, split in _CHARACTERS.items() if characters in text}
    if splits:
        return (), splits
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    others = []
    for word in re.findall(r"[^\W\d_]+", text):
        match = _GLUED.fullmatch(word)
        if match:
            splits.add(_WORDS[match[1]])
        elif word not in _FILLERS:
            others.append(word)
    return tuple(others), splits
