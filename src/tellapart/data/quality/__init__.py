"""What is wrong with a data set: the audit and its findings."""
