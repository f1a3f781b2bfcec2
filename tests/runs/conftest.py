"""Tests that write runs have a working directory of their own."""

import pytest


@pytest.fixture(autouse=True)
def in_own_place(own_place):
    """Every test here."""
