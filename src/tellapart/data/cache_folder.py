"""The folders for files that can be downloaded or computed again."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

import platformdirs


def user_cache() -> Path:
    """Return the folder in ``TELLAPART_CACHE``, else the user's cache folder of this system."""
    chosen = os.environ.get("TELLAPART_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("tellapart")


@functools.cache
def scratch_folder() -> Path:
    """Return a temporary folder, deleted at exit, to use if the cache cannot be written.

    Raises:
        OSError: a system without a folder for temporary files.
    """
    folder = Path(tempfile.mkdtemp(prefix="tellapart-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def cache_problem(error: Exception) -> str:
    """Return a message that the cache cannot be written: what was lost, why, and a remedy."""
    reason = getattr(error, "strerror", None) or error
    return (
        f"nothing was kept in the cache {user_cache()}, and decoding starts anew each time: "
        f"{reason}. Name a folder that can be written in TELLAPART_CACHE"
    )
