"""The keys of a recipe, ``section.field``, and values for them as text."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tellapart.config.fields import Scalar, is_table
from tellapart.config.sections import SECTION_TYPES, SECTIONS
from tellapart.errors import ConfigError
from tellapart.wording import nearest

Settings = Mapping[str, Any] | Sequence[str]
"""Changes to a recipe: values by key, or texts ``KEY=VALUE``."""


@cache
def hints_of(section: str) -> dict[str, Any]:
    """The type of each field of a section."""
    return get_type_hints(SECTION_TYPES[section])


def all_keys() -> Iterator[str]:
    """Every key that ``--set`` takes, as ``section.field``."""
    for section in SECTIONS:
        for name in hints_of(section):
            yield f"{section}.{name}"


def locate(key: str) -> tuple[str, str, str]:
    """Section, field and, for a network's argument, its name."""
    section, _, name = key.partition(".")
    if section in SECTION_TYPES and not name:
        for leading in ("name", "network"):
            if leading in hints_of(section):
                return section, leading, ""
        raise ConfigError(
            f"{key!r} is a section; name a field: "
            + ", ".join(f"{section}.{entry}" for entry in hints_of(section))
        )
    if section in SECTION_TYPES:
        name, _, argument = name.partition(".")
        takes_entries = is_table(hints_of(section).get(name))
        if name in hints_of(section) and takes_entries == bool(argument):
            return section, name, argument
        if takes_entries:
            raise ConfigError(
                f"{key!r} is a table; set one of its entries: {section}.{name}.NAME=VALUE"
            )
    homes = [
        home for home in SECTIONS if key in hints_of(home) and key not in ("name", "arguments")
    ]
    if len(homes) == 1:
        return homes[0], key, ""
    if homes:
        choices = ", ".join(f"{home}.{key}" for home in homes)
        raise ConfigError(f"recipe key {key!r} is ambiguous: {choices}")
    raise ConfigError(f"unknown recipe key {key!r}{suggest_key(key)}")


def suggest_key(key: str) -> str:
    """What to do about an unknown key: the nearest one, or where all are listed."""
    full = list(all_keys())
    short = {name.partition(".")[2]: name for name in full}
    near = nearest(key, [*full, *short])
    if near is None:
        return "; `tellapart recipes show` lists all keys"
    return f"; did you mean {short.get(near, near)!r}?"


def typed_settings(settings: Settings) -> dict[str, Any]:
    """Settings as values by their full keys; what was given as text ``KEY=VALUE`` is parsed.

    Values that are given as they are stay as they are: nothing is turned into text to be parsed
    again. Of a key that is given twice the last value counts.

    Raises:
        ConfigError: an unknown or ambiguous key, or a text without ``=``.
    """
    given = settings.items() if isinstance(settings, Mapping) else map(_pair, settings)
    values = {}
    for key, value in given:
        section, name, argument = locate(key.strip())
        full = f"{section}.{name}" + (f".{argument}" if argument else "")
        if isinstance(value, _Text):
            text, hint = str(value), hints_of(section)[name]
            value = parse_scalar(text) if argument else parse(full, text, hint)
        values[full] = str(value) if isinstance(value, PurePath) else value
    return values


class _Text(str):
    """A value as a person typed it, to be parsed."""


def _pair(setting: str) -> tuple[str, _Text]:
    key, equals, text = setting.partition("=")
    if not equals:
        raise ConfigError(f"--set takes KEY=VALUE, got {setting!r}; e.g. epochs=5")
    return key, _Text(text.strip())


def parse_scalar(text: str) -> Scalar:
    """A value as TOML reads it, or the text itself."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = table["value"]
    is_scalar = isinstance(value, (bool, int, float, str)) and len(table) == 1
    return value if is_scalar else text


def parse(key: str, text: str, hint: Any) -> Any:
    """The value that ``text`` means for a field of type ``hint``; checked later as any other."""
    if get_origin(hint) is tuple:
        parts = [part.strip() for part in text.strip("[]()").split(",") if part.strip()]
        return tuple(parse(key, part, get_args(hint)[0]) for part in parts)
    if hint is str or get_origin(hint) is Literal:
        return _unquoted(text)
    value = parse_scalar(text)
    # `1e-3` is a number in TOML, `.5` and `5.` are not, and people type them.
    if hint is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _unquoted(text: str) -> str:
    """The text without a pair of quotes around it; a quote at one end alone belongs to the text."""
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return str(text[1:-1] if is_quoted else text)
