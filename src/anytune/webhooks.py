"""A provider's webhook that names a job ends the wait for it early."""
