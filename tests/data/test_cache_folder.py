"""Where caches lie."""

from pathlib import Path

import platformdirs

from tellapart.data.cache_folder import user_cache


def test_the_environment_names_the_cache(monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE", "~/somewhere")
    assert user_cache() == Path.home() / "somewhere"


def test_else_it_is_the_systems(monkeypatch):
    monkeypatch.delenv("TELLAPART_CACHE")
    assert user_cache() == platformdirs.user_cache_path("tellapart")
