"""Networks, and the classifier that wraps one with its preprocessing and class names."""
