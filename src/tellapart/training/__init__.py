"""The training loop and what moves it: optimiser, schedule, early stopping."""
