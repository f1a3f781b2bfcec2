"""What ``--json`` prints: one object and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def print_json(content: Mapping[str, Any]) -> None:
    """Prints one JSON object; a number that is not finite is a fault of ours."""
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))
