"""The verbs: what the command line and ``import tellapart`` both call."""
