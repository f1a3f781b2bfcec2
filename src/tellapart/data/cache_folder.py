"""Where this package keeps what it can fetch or make again."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

import platformdirs


def user_cache() -> Path:
    """The folder that ``TELLAPART_CACHE`` names, else the user's cache folder of this system."""
    chosen = os.environ.get("TELLAPART_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("tellapart")


@functools.cache
def scratch_folder() -> Path:
    """A temporary folder that ends with this process, for where the cache cannot be written.

    Raises:
        OSError: where this system has no place for temporary files.
    """
    folder = Path(tempfile.mkdtemp(prefix="tellapart-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def cache_problem(error: Exception) -> str:
    """One line for a person whose cache cannot be written: what was not kept, why, and a remedy."""
    reason = getattr(error, "strerror", None) or error
    return (
        f"nothing was kept in the cache {user_cache()}, and decoding starts anew each time: "
        f"{reason}. Name a folder that can be written in TELLAPART_CACHE"
    )
