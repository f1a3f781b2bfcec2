"""A trained run and its data: its folder, its plan, its splits, and runs that answer together."""
