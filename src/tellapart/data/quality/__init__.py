"""Faults of a data set: the audit and its findings."""
