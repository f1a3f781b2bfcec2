"""Where this package keeps what it can fetch or make again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def user_cache() -> Path:
    """The folder that ``TELLAPART_CACHE`` names, else the user's cache folder of this system."""
    chosen = os.environ.get("TELLAPART_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("tellapart")
