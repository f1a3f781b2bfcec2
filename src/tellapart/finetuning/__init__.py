"""Starting from a trained network: what is transferred, what is frozen, what LoRA adds."""
