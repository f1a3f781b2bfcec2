"""Holding images out of train, one by one or in groups, for the splits that a data set lacks."""
