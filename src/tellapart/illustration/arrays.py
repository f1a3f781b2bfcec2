"""Tensors as JSON, from which a browser recovers the same numbers, bit for bit."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tellapart.page.markup import Markup, element


def packed(values: Tensor) -> dict[str, Any]:
    """Pack float32, int8 or uint8 as ``{"shape": [...], "type": "<f4", "bytes": base64}``.

    Decimal text of a float32 would be three times as long, or rounded. The bytes are little-endian,
    as the typed arrays of browsers expect.
    """
    array = values.detach().cpu().contiguous().numpy()
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "shape": list(values.shape),
        "type": little.dtype.str,
        "bytes": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def embedded(content: Mapping[str, Any]) -> Markup:
    """Return JSON as an element with the identifier ``data``, for the scripts of the page."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # JSON may write "<" as an escape, so no text in it can end the element or open a comment.
    safe = Markup(text.replace("<", "\\u003c"))
    return element("script", safe, type="application/json", id="data")
