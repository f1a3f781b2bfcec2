"""Tensors as JSON that a browser turns back into the same numbers, bit for bit."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tellapart.page.markup import Markup, element


def packed(values: Tensor) -> dict[str, Any]:
    """``{"shape": [...], "type": "<f4", "bytes": base64}`` of float32, int8 or uint8 numbers.

    Decimal text would be three times as long for 32 bits, and would have to be rounded to be
    shorter. Whole bytes are written little-endian, which every browser's typed arrays read.
    """
    array = values.detach().cpu().contiguous().numpy()
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "shape": list(values.shape),
        "type": little.dtype.str,
        "bytes": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def embedded(content: Mapping[str, Any]) -> Markup:
    """JSON as an element that a script on the page reads by its identifier ``data``."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # No text in it can end the element or open a comment: JSON may write "<" as an escape.
    safe = Markup(text.replace("<", "\\u003c"))
    return element("script", safe, type="application/json", id="data")
