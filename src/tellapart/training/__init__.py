"""The training loop and what moves it: optimizer, schedule, early stopping, resuming."""
