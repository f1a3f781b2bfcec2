"""A training run and its data: folder, plan, splits, and ensembles of several runs."""
