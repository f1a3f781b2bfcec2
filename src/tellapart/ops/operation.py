"""An operation whose backward pass is written out."""

from __future__ import annotations

from typing import cast

import torch
from torch.autograd import Function


class Operation(Function):
    """A ``torch.autograd.Function`` with a typed call; subclasses write forward and backward."""

    @classmethod
    def call(cls, *arguments: object) -> torch.Tensor:
        """Return the result of ``forward``; autograd records ``backward`` where it is needed."""
        return cast(torch.Tensor, cls.apply(*arguments))  # type: ignore[no-untyped-call]
