"""Fields of a recipe: default, limits and help of each, and the check of their values."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import operator
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tellapart.errors import ConfigError
from tellapart.wording import did_you_mean

Scalar = bool | int | float | str
DataclassT = TypeVar("DataclassT")


def setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
) -> Any:
    """Define a field of a section.

    Args:
        default: the default value; `dataclasses.MISSING` for a required field.
        help: the meaning of the field, as ``recipes show`` prints it.
        minimum: the smallest allowed number.
        above: an exclusive lower limit.
        maximum: the largest allowed number.
        below: an exclusive upper limit.
    """
    limits = {"minimum": minimum, "above": above, "maximum": maximum, "below": below}
    metadata = {"help": help, "limits": {k: v for k, v in limits.items() if v is not None}}
    if default is dataclasses.MISSING:
        return field(metadata=metadata)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


_RULES: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "minimum": ("at least", operator.ge),
    "above": ("greater than", operator.gt),
    "maximum": ("at most", operator.le),
    "below": ("less than", operator.lt),
}


class Section:
    """Base of all sections; checks each field's type and limits when an instance is made."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for entry in dataclasses.fields(self):  # type: ignore[arg-type]
            value = typed(entry.name, getattr(self, entry.name), hints[entry.name])
            _check_limits(entry.name, value, entry.metadata.get("limits", {}))
            # 1 becomes 1.0 and a list a tuple, so that recipes with the same values are equal.
            object.__setattr__(self, entry.name, value)


def _check_limits(name: str, value: Any, limits: Mapping[str, float]) -> None:
    if isinstance(value, Mapping):
        for key, entry in value.items() if limits else ():
            _check_limits(f"{name}.{key}", entry, limits)
        return
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if not isinstance(number, (int, float)):
            continue
        if isinstance(number, float) and not math.isfinite(number):
            raise ConfigError(f"{name} must be a finite number, got {number}")
        for rule, limit in limits.items():
            words, holds = _RULES[rule]
            if not holds(number, limit):
                raise ConfigError(f"{name} must be {words} {limit:g}, got {number}")


def typed(key: str, value: Any, hint: Any) -> Any:
    """Return ``value`` as the type ``hint``, or raise a ConfigError that names the type."""
    origin = get_origin(hint)
    if origin is Literal:
        choices = get_args(hint)
        if value in choices:
            return value
        listed = ", ".join(str(choice) for choice in choices)
        raise ConfigError(
            f"{key} must be one of {listed}, got {value!r}{did_you_mean(str(value), choices)}"
        )
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(typed(key, entry, get_args(hint)[0]) for entry in value)
    if is_table(hint) and isinstance(value, Mapping):
        kind = get_args(hint)[1]
        return {str(name): typed(f"{key}.{name}", entry, kind) for name, entry in value.items()}
    if origin in (Union, types.UnionType):
        kinds = get_args(hint)
        if type(value) in kinds:
            return value
        if types.NoneType in kinds and len(kinds) == 2:
            return typed(key, value, next(kind for kind in kinds if kind is not types.NoneType))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        if isinstance(value, Mapping):
            return from_table(hint, value, key)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    with contextlib.suppress(OverflowError):  # a whole number of more than 308 digits
        if hint is float and is_number:
            return float(value)
        if hint is int and is_number and float(value).is_integer():
            return int(value)
    if hint in (str, bool) and isinstance(value, hint):
        return value
    wanted = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        Scalar: "a number, text, or true or false",
        int | str: "a word or a whole number",
        tuple[str, ...]: "a list of names",
        Mapping[str, float]: "a table of numbers by name",
    }
    described = wanted.get(
        hint, "a list of numbers" if origin is tuple else "a table of plain values"
    )
    raise ConfigError(f"{key} must be {described}, got {value!r}")


def from_table(kind: type[DataclassT], table: Mapping[str, Any], key: str = "") -> DataclassT:
    """Make a dataclass from a table of its fields, with nested tables for nested dataclasses.

    Args:
        kind: the dataclass.
        table: values by field; a missing field has its default.
        key: the name of the table, for error messages.

    Raises:
        ConfigError: an unknown field, a missing required field, or a value of another type.
    """
    hints = get_type_hints(kind)
    entries = {entry.name: entry for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    dot = f"{key}." if key else ""
    for name in table:
        if name not in entries:
            raise ConfigError(f"unknown key {dot + str(name)!r}{did_you_mean(str(name), entries)}")
    missing = [
        name
        for name, entry in entries.items()
        if name not in table
        and entry.default is dataclasses.MISSING
        and entry.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{key or kind.__name__} lacks {', '.join(missing)}")
    values = {name: typed(f"{dot}{name}", value, hints[name]) for name, value in table.items()}
    return kind(**values)


def compiled(key: str, pattern: str) -> re.Pattern[str]:
    """Return a regular expression that can be used.

    Args:
        key: the name of the field, for the message.
        pattern: the regular expression, as Python writes it.

    Raises:
        ConfigError: a text that is no regular expression.
    """
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{key} must be a regular expression, got '{pattern}': {error}; e.g. 'patient(\\d+)_', "
            "and a \\ before a bracket or dot that is meant as such"
        ) from None


def is_table(hint: Any) -> bool:
    """Whether values of this type are tables of named entries."""
    return get_origin(hint) is not None and get_origin(hint) is Mapping


def is_number_table(hint: Any) -> bool:
    """Whether values of this type are tables of named numbers, which can be typed as one text."""
    return is_table(hint) and get_args(hint)[1] is float
