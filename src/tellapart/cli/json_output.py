"""What a command prints at its end: for a program one JSON object, for a person a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Result = TypeVar("Result")


def print_result(
    result: Result,
    content: Mapping[str, Any],
    print_text: Callable[[Result], None],
    *,
    as_json: bool,
) -> None:
    """Prints what a command came to.

    Args:
        result: what ``print_text`` takes.
        content: the same as one JSON object.
        print_text: prints it for a person, as those of `tellapart.cli.tables` do.
        as_json: prints the JSON object, and nothing else, instead.
    """
    if as_json:
        print_json(content)
    else:
        print_text(result)


def print_json(content: Mapping[str, Any]) -> None:
    """Prints one JSON object; a number that is not finite is a fault of ours."""
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))
