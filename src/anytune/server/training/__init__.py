"""Training: orders to specs, the fair queue, the clerk that submits, the eyes that follow."""
