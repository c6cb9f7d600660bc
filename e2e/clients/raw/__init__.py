"""A client made by hand: frames and batches that no library would send, and readers for what comes back."""
