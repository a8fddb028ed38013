"""A tuned model proven and served on this machine: what it answered, the engine that answers again, and its options."""
