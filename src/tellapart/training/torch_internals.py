"""The one place that relies on how torch is built inside: steps without torch's compiler.

The first optimizer of a process makes torch import its compiler, which takes 0.8 s, only to mark
three methods as not to be compiled. A command that trains for a second would spend half its time
on it. This file goes around that import in the versions of torch that were looked at; in any other
version, and wherever the compiler is loaded already, it does what everybody else does.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# `torch/_compile.py` and `torch/optim/optimizer.py` were read in these. A new one is added after
# reading them again; until then a test fails, and training only starts later.
CHECKED_VERSIONS = ((2, 11), (2, 12), (2, 13))
_MARK = "__dynamo_disable"


def is_checked_version(version: str = torch.__version__) -> bool:
    """Whether this file knows the inside of torch ``version``, such as ``2.13.0+cpu``."""
    major, minor = version.split(".")[:2]
    return (major, minor) in {(str(known[0]), str(known[1])) for known in CHECKED_VERSIONS}


@contextmanager
def without_compiler_import() -> Iterator[None]:
    """Lets an optimizer be made inside without torch importing its compiler.

    torch wraps ``Optimizer.add_param_group``; the wrapper imports the compiler unless the method
    carries a mark. The method is marked for the time inside and unmarked after it, so that whoever
    compiles later finds torch as it was.
    """
    method = getattr(torch.optim.Optimizer.add_param_group, "__wrapped__", None)
    skip = not is_checked_version() or method is None
    if skip or "torch._dynamo" in sys.modules or hasattr(method, _MARK):
        yield
        return
    setattr(method, _MARK, method)
    try:
        yield
    finally:
        delattr(method, _MARK)


def take_step(optimizer: torch.optim.Optimizer) -> None:
    """Takes one step, as ``optimizer.step()`` does, without torch importing its compiler.

    The wrappers around ``step`` serve hooks, the profiler and differentiable steps, none of which
    this package uses; they are left out in the versions of torch that were looked at.
    """
    if not is_checked_version():
        optimizer.step()
        return
    step = inspect.unwrap(type(optimizer).step)
    with torch.no_grad():
        step(optimizer)
