"""Providers that cannot be reached from a test, simulated over real HTTP on loopback: OpenAI, Azure's data plane and its control plane."""
