"""Train an image classifier from zero, evaluate it honestly, and see what it learned.

The public names stand in ``__init__.pyi``, each once. They are imported when they are first used,
so that importing the package loads no torch.
"""

from __future__ import annotations

import ast
import importlib
import importlib.resources
from typing import Any

__version__ = "0.1.0"


def _public_names() -> dict[str, str]:
    """The module that defines each public name, as the stub beside this file lists them."""
    stub = importlib.resources.files(__name__) / "__init__.pyi"
    return {
        imported.name: statement.module
        for statement in ast.parse(stub.read_text("utf-8")).body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for imported in statement.names
    }


_MODULE_OF = _public_names()
__all__ = sorted(_MODULE_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
