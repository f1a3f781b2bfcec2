"""pytorch-ood as an oracle; its package imports torchvision, which nothing here may need."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

_STUBBED = "torchvision"


class _Stub(ModuleType):
    """A module in which every name is a class; enough for imports and subclasses."""

    __path__: Sequence[str] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__module__": self.__name__})


class _StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module of torchvision, as a stub."""

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name.partition(".")[0] != _STUBBED:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Stub(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        del module


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """Lets imports of torchvision inside find stubs, and removes them afterwards."""
    finder = _StubFinder()
    hidden = {name: module for name, module in sys.modules.items() if _is_stubbed(name)}
    for name in hidden:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_stubbed(name)]:
            del sys.modules[name]
        sys.modules.update(hidden)


def _is_stubbed(name: str) -> bool:
    return name.partition(".")[0] == _STUBBED


@pytest.fixture(scope="session")
def detectors() -> types.ModuleType:
    """``pytorch_ood.detector``, imported without torchvision."""
    if importlib.util.find_spec("pytorch_ood") is None:
        pytest.skip(
            "pytorch-ood is not installed; scripts/test installs it without its dependencies"
        )
    with _without_torchvision(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("pytorch_ood.detector")
