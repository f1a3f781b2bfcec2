"""The keys of a recipe, ``section.field``, and the parsing of their values."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tellapart.config.fields import Scalar, is_number_table, is_table
from tellapart.config.sections import SECTION_TYPES, SECTIONS
from tellapart.errors import ConfigError
from tellapart.wording import nearest

Settings = Mapping[str, Any] | Sequence[str]
"""Changes to a recipe: values by key, or texts ``KEY=VALUE``."""


@cache
def hints_of(section: str) -> dict[str, Any]:
    """Return the type of each field of a section."""
    return get_type_hints(SECTION_TYPES[section])


def all_keys() -> Iterator[str]:
    """Yield every key that ``--set`` accepts, as ``section.field``."""
    for section in SECTIONS:
        for name in hints_of(section):
            yield f"{section}.{name}"


def locate(key: str) -> tuple[str, str, str]:
    """Return section, field and, for one entry of a table, the entry's name."""
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
        name, dot, argument = name.partition(".")
        hint = hints_of(section).get(name)
        takes_entries = is_table(hint)
        if name in hints_of(section) and takes_entries == bool(argument):
            return section, name, argument
        if is_number_table(hint) and not dot:
            return section, name, ""
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
    """Return the remedy for an unknown key: the nearest key, or the command that lists all."""
    full = list(all_keys())
    short = {name.partition(".")[2]: name for name in full}
    near = nearest(key, [*full, *short])
    if near is None:
        return "; `tellapart recipes show` lists all keys"
    return f"; did you mean {short.get(near, near)!r}?"


def typed_settings(settings: Settings) -> dict[str, Any]:
    """Return settings as values by their full keys; only texts ``KEY=VALUE`` are parsed.

    Typed values are kept unchanged. The last value of a repeated key counts.

    Raises:
        ConfigError: an unknown or ambiguous key, or a text without ``=``.
    """
    given = settings.items() if isinstance(settings, Mapping) else map(_pair, settings)
    values = {}
    for key, value in given:
        section, name, argument = locate(key.strip())
        full = f"{section}.{name}" + (f".{argument}" if argument else "")
        if isinstance(value, _Unparsed):
            text, hint = str(value), hints_of(section)[name]
            value = parse(full, text, get_args(hint)[1] if argument else hint)
        values[full] = str(value) if isinstance(value, PurePath) else value
    return values


def with_corrections(settings: Settings, corrections: str | PurePath | None) -> Settings:
    """Return settings with a file of corrected labels among them, if one is given.

    Raises:
        ConfigError: as :func:`typed_settings`.
    """
    if corrections is None:
        return settings
    return {**typed_settings(settings), "data.corrections": str(corrections)}


class _Unparsed(str):
    """A value as a person typed it, not parsed yet."""


def _pair(setting: str) -> tuple[str, _Unparsed]:
    key, equals, text = setting.partition("=")
    if not equals:
        raise ConfigError(f"--set takes KEY=VALUE, got {setting!r}; e.g. epochs=5")
    return key, _Unparsed(text.strip())


def parse_scalar(text: str) -> Scalar:
    """Return the value that TOML reads, or the text itself if TOML cannot read it."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = table["value"]
    is_scalar = isinstance(value, (bool, int, float, str)) and len(table) == 1
    return value if is_scalar else text


def parse(key: str, text: str, hint: Any) -> Any:
    """Return the value of ``text`` for a field of type ``hint``; `typed` checks it later."""
    if get_origin(hint) is tuple:
        parts = [part.strip() for part in text.strip("[]()").split(",") if part.strip()]
        return tuple(parse(key, part, get_args(hint)[0]) for part in parts)
    if is_number_table(hint):
        return _number_table(key, text)
    if hint is str or get_origin(hint) is Literal:
        return _unquoted(text)
    value = parse_scalar(text)
    # `.5` and `5.` are no numbers in TOML, but people type them.
    if hint is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _number_table(key: str, text: str) -> dict[str, Any]:
    """Return the table of ``NAME:NUMBER,NAME:NUMBER``; a name may hold a colon, but no comma."""
    table: dict[str, Any] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        quoted, colon, number = part.rpartition(":")
        name = _unquoted(quoted.strip())
        if not colon:
            raise ConfigError(
                f"{key} must be NAME:NUMBER, with commas between several, got {part!r}; a name "
                f"with a comma is set by {key}.NAME=NUMBER"
            )
        if name in table:
            raise ConfigError(f"{key} has two numbers for {name!r}; give one")
        table[name] = parse(f"{key}.{name}", number.strip(), float)
    return table


def _unquoted(text: str) -> str:
    """Remove a pair of quotes around the text; a quote at only one end is kept."""
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return str(text[1:-1] if is_quoted else text)
